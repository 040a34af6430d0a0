"""The native format: what is read, and what is said about each kind of mistake."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cir.errors import UsageError
from eval.sets.formats.native import load_native

WriteSet = Callable[..., Path]

QUERY = {"_id": "q1", "image": "a.jpg", "text": "in red", "group": "colour"}


def test_reads_queries_with_targets_groups_and_grades(write_set: WriteSet) -> None:
    folder = write_set(
        [QUERY, {"_id": "q2", "image": "sub/b c.jpg", "text": ""}],
        [("q1", "b.jpg", 1), ("q1", "c.jpg", 2), ("q1", "no.jpg", 0), ("q2", "a.jpg", 1)],
    )
    labelled = load_native(folder)
    first, second = labelled.queries
    assert (labelled.name, labelled.split) == ("set", "test")
    assert (first.id, first.reference, first.instruction) == ("q1", "a.jpg", "in red")
    assert first.targets == {"b.jpg": 1, "c.jpg": 2}
    assert (first.group, second.group) == ("colour", "")
    assert (second.reference, second.instruction) == ("sub/b c.jpg", "")


def test_keeps_odd_paths_and_texts_as_they_are(write_set: WriteSet) -> None:
    odd = 'a "b"\u2028c%20.jpg'
    folder = write_set(
        [json.dumps({"_id": "q 1", "image": odd, "text": "50 % — größer"}, ensure_ascii=False)],
        [("q 1", odd, 1), '"q 1"\t"""x""\ny\tz.jpg"\t1'],
    )
    (query,) = load_native(folder).queries
    assert query.reference == odd
    assert set(query.targets) == {odd, '"x"\ny\tz.jpg'}


def test_windows_line_ends_blank_lines_and_a_byte_order_mark_are_no_mistakes(
    write_set: WriteSet,
) -> None:
    folder = write_set([QUERY, ""], [("q1", "b.jpg", 1), ""])
    for path in (folder / "queries.jsonl", folder / "qrels" / "test.tsv"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    (query,) = load_native(folder).queries
    assert query.targets == {"b.jpg": 1}


def test_the_fingerprint_follows_the_content(write_set: WriteSet) -> None:
    before = load_native(write_set([QUERY], [("q1", "b.jpg", 1)])).fingerprint
    same = load_native(write_set([QUERY], [("q1", "b.jpg", 1)], name="copy")).fingerprint
    other = load_native(write_set([QUERY], [("q1", "b.jpg", 2)])).fingerprint
    assert before == same != other


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"_id": "q2", "image": ', "line 2: not JSON"),
        ("[" * 100_000, "line 2: not JSON"),
        ('["q2"]', "line 2: not a JSON object"),
        ('{"image": "a.jpg", "text": "x"}', "line 2: '_id' is missing"),
        ('{"_id": 2, "image": "a.jpg", "text": "x"}', "line 2: '_id' is 2, not a text"),
        ('{"_id": "", "image": "a.jpg", "text": "x"}', "line 2: '_id' is empty"),
        ('{"_id": "q2", "image": "", "text": "x"}', "line 2: 'image' is empty"),
        ('{"_id": "q2", "image": "a.jpg"}', "line 2: 'text' is missing"),
        ('{"_id": "q2", "image": "a.jpg", "text": null}', "line 2: 'text' is null"),
        ('{"_id": "q2", "image": "a.jpg", "text": "x", "group": 3}', "line 2: 'group' is 3"),
        ('{"_id": "q2", "image": "\\ud800", "text": "x"}', "line 2: 'image' holds half"),
        ('{"_id": "q1", "image": "a.jpg", "text": "x"}', "line 2: the query 'q1' stands in"),
    ],
)
def test_a_bad_query_line_is_named(write_set: WriteSet, line: str, message: str) -> None:
    folder = write_set([QUERY, line], [("q1", "b.jpg", 1), ("q2", "b.jpg", 1)])
    with pytest.raises(UsageError) as caught:
        load_native(folder)
    assert f"{folder / 'queries.jsonl'}, {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("q1 c.jpg 1", "line 3: not three tab-separated fields"),
        ("q1\tc.jpg", "line 3: not three tab-separated fields"),
        ("q1\t\t1", "line 3: not three tab-separated fields"),
        ("q1\tc.jpg\tyes", "line 3: the score 'yes' is not a whole number"),
        ("q1\tc.jpg\t-1", "line 3: the score '-1' is below 0"),
        ("q1\tb.jpg\t1", "line 3: repeats query and image of"),
        ("q9\tb.jpg\t1", "line 3: there is no query 'q9'"),
        ('q1\t"c".jpg\t1', "line 3: "),
        ('q1\t"c.jpg\t1', "line 3: "),
    ],
)
def test_a_bad_judgement_is_named(write_set: WriteSet, row: str, message: str) -> None:
    folder = write_set([QUERY], [("q1", "b.jpg", 1), row])
    with pytest.raises(UsageError) as caught:
        load_native(folder)
    assert f"{folder / 'qrels' / 'test.tsv'}, {message}" in str(caught.value)


def test_a_file_in_another_encoding_is_named_with_its_line(write_set: WriteSet) -> None:
    folder = write_set([QUERY], [("q1", "b.jpg", 1)])
    path = folder / "queries.jsonl"
    path.write_bytes(path.read_bytes() + '{"_id": "größe"}'.encode("latin-1"))
    with pytest.raises(UsageError, match="line 2: not UTF-8"):
        load_native(folder)


@pytest.mark.parametrize("score", ["2147483648", "9" * 400, "9" * 5000, "-1"])
def test_a_score_that_other_tools_cannot_hold_is_refused_in_few_words(
    write_set: WriteSet, score: str
) -> None:
    folder = write_set([QUERY], [f"q1\tb.jpg\t{score}"])
    with pytest.raises(UsageError, match="line 2: the score") as caught:
        load_native(folder)
    assert len(str(caught.value)) < 400


def test_a_key_that_stands_twice_is_refused(write_set: WriteSet) -> None:
    folder = write_set(
        ['{"_id": "q1", "image": "a.jpg", "text": "in red", "text": "in blue"}'],
        [("q1", "b.jpg", 1)],
    )
    with pytest.raises(UsageError, match="line 1: 'text' stands in one object twice"):
        load_native(folder)


@pytest.mark.parametrize("rows", ["q1\tb.jpg\t1\nq1\tc.jpg\t0\n", "q1 0 b.jpg 1\nq1 0 c.jpg 0\n"])
def test_qrels_without_a_header_and_those_of_trec_are_read(write_set: WriteSet, rows: str) -> None:
    folder = write_set([QUERY], [])
    for text in (rows, rows.replace(" ", "\t")):
        (folder / "qrels" / "test.tsv").write_text(text)
        (query,) = load_native(folder).queries
        assert (dict(query.targets), query.negatives) == ({"b.jpg": 1}, ("c.jpg",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query\timage\tgrade\nq1\tb.jpg\t1\n", "line 1: the first line must be query-id"),
        ("q1\tb.jpg\n", "line 1: the first line must be query-id"),
        ("q1 0 b c.jpg 1\n", "line 1: the first line must be query-id"),
        ("q1 0 b.jpg 1\nq1 0 c d.jpg 1\n", "line 2: not query, 0, image and score"),
    ],
)
def test_another_first_line_is_said(write_set: WriteSet, text: str, message: str) -> None:
    folder = write_set([QUERY], [])
    (folder / "qrels" / "test.tsv").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_native(folder)


def test_a_query_without_judgement_is_said_with_its_line(write_set: WriteSet) -> None:
    folder = write_set([QUERY, {**QUERY, "_id": "q2"}], [("q1", "b.jpg", 1)])
    with pytest.raises(UsageError, match=r"without a judgement .*: 1 \('q2' in .*line 2\)"):
        load_native(folder)


def test_a_query_judged_in_another_split_is_left_to_that_split(write_set: WriteSet) -> None:
    queries = [QUERY, {**QUERY, "_id": "q2"}]
    write_set(queries, [("q2", "b.jpg", 1)], split="dev")
    folder = write_set(queries, [("q1", "b.jpg", 1)])
    assert [query.id for query in load_native(folder).queries] == ["q1"]
    assert [query.id for query in load_native(folder, "dev").queries] == ["q2"]


def test_a_query_whose_scores_are_all_zero_is_said(write_set: WriteSet) -> None:
    folder = write_set([QUERY], [("q1", "b.jpg", 0)])
    with pytest.raises(UsageError, match="line 1: the query 'q1' has no target"):
        load_native(folder)


def test_the_only_split_is_taken_and_a_choice_is_asked_for(write_set: WriteSet) -> None:
    folder = write_set([QUERY], [("q1", "b.jpg", 1)], split="val")
    assert load_native(folder).split == "val"
    write_set([QUERY], [("q1", "b.jpg", 1)], split="train")
    with pytest.raises(UsageError, match="no split 'test', only train, val"):
        load_native(folder)
    with pytest.raises(UsageError, match="no split 'tset'"):
        load_native(folder, "tset")


def test_missing_files_and_empty_ones_are_said(write_set: WriteSet, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        load_native(tmp_path / "nowhere")
    folder = write_set([], [])
    with pytest.raises(UsageError, match=r"queries\.jsonl holds no query"):
        load_native(folder)
    (folder / "queries.jsonl").unlink()
    with pytest.raises(UsageError, match=r"There is no file .*queries\.jsonl"):
        load_native(folder)
    (folder / "qrels" / "test.tsv").unlink()
    with pytest.raises(UsageError, match=r"test\.tsv is missing"):
        load_native(folder)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"wording_of": "q9"}, "line 2: 'q9', in 'wording_of', is no query of this split"),
        ({"wording_of": "q2"}, "line 2: 'q2', in 'wording_of', is itself a wording"),
        ({"wording_of": 3}, "line 2: 'wording_of' is 3, not a text"),
        ({"wording_of": "q1", "image": "else.jpg"}, "line 2: a wording of 'q1', which has another"),
    ],
)
def test_a_wording_is_of_a_query_of_the_same_reference(
    write_set: WriteSet, second: dict[str, Any], message: str
) -> None:
    queries = [QUERY, {**QUERY, "_id": "q2", **second}]
    folder = write_set(queries, [("q1", "b.jpg", 1), ("q2", "b.jpg", 1)])
    with pytest.raises(UsageError, match=message):
        load_native(folder)
