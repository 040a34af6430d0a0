"""The single queries of a run: orders, filters, rankings, pictures, and where to open them."""

from dataclasses import replace
from pathlib import Path

import pytest

from cir.encoders.registry import load_encoder
from cir.errors import UsageError
from cir.indexing.folder import ingest
from cir.settings import Settings, load_settings
from cir.store import image_id, index_store
from eval.runs.pictures import Pictures, indexed_reference, queries_of
from eval.runs.queries import queries_csv, query_rows, ranked_paths, ranks_by_id
from eval.runs.ranks import RankTable
from eval.runs.reading import Run, open_run
from eval.sets.labelled import LabelledQuery
from tests.eval.command_line import Evaluate, document_of, rankings

TABLE = RankTable(
    groups=(("a",), (), ("a", "b"), ("b",)),
    ranks={"composed": (3, None, 1, 40), "sum": (1, 5, None, 41)},
    ids=("q1", "q2", "q3", "q4"),
)
ASKED = {
    name: LabelledQuery(name, "r.png", words, {"t.png": 1})
    for name, words in zip(TABLE.ids, ("in Red", "in blue", "striped", "in red too"), strict=True)
}


def ids(**options: object) -> list[str]:
    return [row.id for row in query_rows(TABLE, ASKED, **options)]  # type: ignore[arg-type]


def test_queries_are_ordered_by_the_rank_of_the_first_target() -> None:
    assert ids() == ["q2", "q4", "q1", "q3"]
    assert ids(order="best") == ["q3", "q1", "q4", "q2"]
    assert ids(mode="sum") == ["q3", "q4", "q2", "q1"]


def test_queries_are_ordered_by_the_ranks_they_lost_or_won() -> None:
    before = ranks_by_id(TABLE, "sum")
    rows = query_rows(TABLE, ASKED, before=before, order="lost")
    assert [(row.id, row.change) for row in rows] == [
        *(("q2", -96), ("q1", -2), ("q4", 1), ("q3", 100))
    ]
    assert ids(before=before, order="gained") == ["q3", "q4", "q1", "q2"]


def test_queries_are_found_by_group_and_words() -> None:
    assert ids(group="b") == ["q4", "q3"]
    assert ids(group="(none)") == ["q2"]
    assert ids(text="RED") == ["q4", "q1"]
    assert ids(text="q3") == ["q3"]
    assert ids(text="nothing like it") == []


def test_queries_are_taken_away_as_a_table() -> None:
    rows = query_rows(TABLE, ASKED, before=ranks_by_id(TABLE, "sum"))
    assert queries_csv(rows).splitlines() == [
        "id,group,instruction,rank,before,change",
        *("q2,,in blue,,5,-96", "q4,b,in red too,40,41,1"),
        *("q1,a,in Red,3,1,-2", "q3,a|b,striped,1,,100"),
    ]


@pytest.fixture
def run(evaluate: Evaluate, labelled: Path, own_gallery: Path) -> Run:
    place = document_of(
        evaluate("--set", labelled, "--gallery", own_gallery, "--ablations", "--json")
    )["run"]
    return open_run(Path(place), Path())


def test_rankings_are_read_query_by_query(run: Run) -> None:
    assert run.folder is not None
    whole = rankings(run.folder, "sum")
    found = ranked_paths(run, "sum", ["q3", "unknown"], 4)
    assert found == {"q3": whole["q3"][:4]}
    with pytest.raises(UsageError, match="came without its rankings"):
        ranked_paths(replace(run, folder=None), "sum", ["q3"], 4)
    with pytest.raises(UsageError, match="cannot be read"):
        ranked_paths(run, "nothing", ["q3"], 4)


def locked(tmp_path: Path) -> Settings:
    """Settings of a public host that may show files of one other folder."""
    return replace(load_settings(), image_roots=(tmp_path / "elsewhere",))


def test_pictures_are_thumbnails_of_the_gallery_even_where_files_may_not_be_shown(
    run: Run, tmp_path: Path
) -> None:
    asked = queries_of(run, Pictures(run, locked(tmp_path), local=False))
    assert asked["q1"].reference == "red.png"
    pictures = Pictures(run, locked(tmp_path), local=False)
    found = pictures.thumbnails(["red.png", "striped ones/red.png", "gone.png"])
    assert set(found) == {"red.png", "striped ones/red.png"}
    assert found["red.png"].startswith(b"\xff\xd8")


def without_index(run: Run) -> Run:
    return replace(run, document={**run.document, "gallery": {**run.part("gallery"), "name": "x"}})


def test_without_the_index_files_are_shown_where_they_may_be(run: Run, tmp_path: Path) -> None:
    lost = without_index(run)
    assert Pictures(lost, locked(tmp_path), local=True).thumbnails(["red.png"]) == {}
    assert set(Pictures(lost, load_settings(), local=True).thumbnails(["red.png"])) == {"red.png"}
    assert Pictures(lost, load_settings(), local=False).thumbnails(["red.png"]) == {}


def test_of_an_upload_nothing_is_opened(run: Run) -> None:
    upload = replace(run, folder=None)
    assert Pictures(upload, load_settings(), local=True).thumbnails(["red.png"]) == {}
    with pytest.raises(UsageError, match="does not say where its labelled set is"):
        queries_of(upload, Pictures(upload, load_settings(), local=True))


def test_a_query_opens_in_an_index_of_the_same_folder(run: Run) -> None:
    settings = load_settings()
    store = index_store(settings)
    query = queries_of(run, Pictures(run, settings, local=True))["q1"]
    assert indexed_reference(run, query, store) is None
    ingest(store, Path(run.part("gallery")["folder"]), "mine", load_encoder("compact"))
    assert indexed_reference(run, query, store) == ("mine", image_id("red.png"))
    assert indexed_reference(run, replace(query, reference="gone.png"), store) is None
    assert indexed_reference(replace(run, folder=None), query, store) is None
