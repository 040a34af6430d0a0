"""The labelled set: valid, exact, and over combinations that are kept aside."""

from collections import Counter
from pathlib import Path

import pytest

from cir.sample.designs import catalogue, kept_aside
from cir.sample.labelled import SampleQuery, sample_queries, write_labelled
from eval.sets.formats.native import load_native

QUERIES = sample_queries()


def expected(query: SampleQuery) -> set[str]:
    """The targets, by a second way: compare every attribute of every design."""
    wanted = {**query.reference.attributes, **query.changes}
    found = set()
    for design in catalogue():
        shown = design.attributes
        agrees = all(shown[name] == wanted[name] for name in shown if name in wanted)
        if agrees and query.changes.items() <= shown.items():
            found.add(design.file)
    return found


def test_it_has_a_few_hundred_queries_in_groups() -> None:
    groups = Counter(query.group for query in QUERIES)
    assert 200 <= len(QUERIES) <= 320
    assert {"colour", "pattern", "sleeve", "neckline", "length", "type"} <= groups.keys()
    assert min(groups.values()) >= 10


def test_targets_are_exact() -> None:
    for query in QUERIES:
        assert {target.file for target in query.targets} == expected(query), query.id


def test_every_target_is_kept_aside_and_none_is_the_reference() -> None:
    for query in QUERIES:
        assert all(map(kept_aside, query.targets)), query.id
        assert query.reference not in query.targets


def test_no_wish_is_there_twice() -> None:
    wishes = {(query.reference.id, tuple(query.changes.items())) for query in QUERIES}
    assert len(wishes) == len(QUERIES)


@pytest.mark.parametrize("letter", "{}_")
def test_instructions_are_plain_words(letter: str) -> None:
    assert not [query.text for query in QUERIES if letter in query.text]


def test_instructions_vary() -> None:
    assert len({query.text for query in QUERIES}) > len(QUERIES) / 3


def test_the_written_set_is_read_back(tmp_path: Path) -> None:
    write_labelled(tmp_path, QUERIES)
    read = load_native(tmp_path)
    assert read.split == "test"
    assert len(read.queries) == len(QUERIES)
    for one, query in zip(read.queries, QUERIES, strict=True):
        assert one.reference == query.reference.file
        assert one.instruction == query.text
        assert one.group == query.group
        assert set(one.targets) == {target.file for target in query.targets}


def test_it_is_written_alike_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_labelled(tmp_path / name, QUERIES)
    for file in ("queries.jsonl", "qrels/test.tsv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
