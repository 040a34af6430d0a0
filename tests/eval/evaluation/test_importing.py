"""What other systems found becomes a run that compares with the bench's own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from typer.testing import CliRunner, Result

import eval as bench
from cir.encoders.registry import load_encoder
from cir.errors import UsageError
from cir.images import open_image
from cir.settings import Settings, load_settings
from eval.cli.app import app
from eval.evaluation.importing import Request, import_run
from eval.runs.shortcuts import audit
from tests.eval.command_line import MODES, QUERIES, WriteSet, document_of, rankings
from tests.eval.layouts import CIRR_IMAGES, cirr_records, draw_all, write_circo, write_cirr

QRELS = [("q1", "blue.png", 1), ("q2", "yellow.png", 1), ("q3", "purple.png", 1)]
# As another system would rank them: the first right, the second at rank 2, the third not.
FOUND = {
    "q1": ["blue.png", "red.png", "green.png"],
    "q2": ["green.png", "red.png", "yellow.png"],
    "q3": ["red.png", "blue.png", "green.png"],
}
Import = Callable[..., Result]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=str(tmp_path_factory.mktemp("data")))


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def folder(write_set: WriteSet) -> Path:
    return write_set(QUERIES, QRELS)


@pytest.fixture
def importing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))

    def call(file: Path, *more: str) -> Result:
        asked = ["import", str(file), "--set", str(folder), "--system", "other", *more]
        out = () if "--out" in more else ("--out", str(tmp_path / "run"))
        return CliRunner().invoke(app, [*asked, *out, "--json"])

    return call


def scored(found: dict[str, list[str]]) -> dict[str, dict[str, float]]:
    """As MTEB, BEIR and ranx write it, in no order."""
    return {
        query: {image: 1.0 - place / 10 for place, image in reversed([*enumerate(ranked)])}
        for query, ranked in found.items()
    }


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_scores_lists_and_trec_files_give_one_run(
    importing: Import, folder: Path, tmp_path: Path
) -> None:
    trec = tmp_path / "run.trec"
    lines = [
        f"{query} Q0 {image} 1 {score} x"
        for query, ranked in scored(FOUND).items()
        for image, score in ranked.items()
    ]
    trec.write_text("\n".join(lines))
    files = [
        write(tmp_path / "scores.json", scored(FOUND)),
        write(tmp_path / "l.json", FOUND),
        trec,
    ]
    figures = []
    for number, file in enumerate(files):
        document = document_of(importing(file, "--out", str(tmp_path / f"run {number}")))
        assert (document["encoder"], document["queries"]) == ("other", 3)
        figures.append(document["metrics"])
        kept = rankings(document["run"], "composed")
        assert kept["q2"] == ["red.png", "yellow.png"]  # the reference is taken out
    assert figures[0] == figures[1] == figures[2]
    assert figures[0]["recall@1"] == pytest.approx(1 / 3)
    assert figures[0]["mrr"] == pytest.approx((1 + 1 / 2) / 3)
    # Three images a query tell nothing of the fourth rank.
    assert "recall@5" not in figures[0]


def test_measures_that_look_deeper_are_left_out_and_said(importing: Import, tmp_path: Path) -> None:
    document = document_of(importing(write(tmp_path / "f.json", FOUND), "--measure", "recall@2"))
    assert document["metrics"]["recall@2"] == pytest.approx(2 / 3)
    assert [note for note in document["notes"] if "recall@5, recall@10" in note]
    table = bench.open_run(document["run"]).table
    assert table["composed"].isna().tolist() == [False, False, True]


def test_a_run_of_all_of_a_small_gallery_compares_with_the_bench_s_own(
    folder: Path, gallery: Path, settings: Settings, tmp_path: Path
) -> None:
    own = bench.run(bench.load_set(folder), gallery=gallery, ablations=True, settings=settings)
    assert own.folder is not None
    found = {mode: rankings(own.folder, mode) for mode in MODES}
    labelled = bench.load_set(folder)
    ablations = {mode: found[mode] for mode in MODES[1:]}
    other = bench.import_run(
        labelled, found["composed"], system="same", ablations=ablations, gallery=gallery,
        settings=settings,
    )  # fmt: skip
    assert other.modes == own.modes
    assert other.table.drop(columns="instruction").equals(own.table.drop(columns="instruction"))
    assert audit([other]).counts == audit([own]).counts
    compared = bench.compare([own, other], measure="recall@50")
    assert compared.differences[0]["mrr"].same == 3
    assert bench.write_report(other, tmp_path / "report.html", settings=settings) == []
    assert "data:image/jpeg" in (tmp_path / "report.html").read_text()
    assert other.name in [run.name for run in bench.list_runs(settings=settings)]


def arrays(folder: Path, gallery: Path) -> dict[str, Any]:
    """Embeddings of the gallery and the queries, as somebody would save them."""
    encoder = load_encoder("compact")
    queries = bench.load_set(folder).queries
    images = sorted(path.relative_to(gallery).as_posix() for path in gallery.rglob("*.png"))
    opened = {image: open_image(gallery / image) for image in images}
    references = [opened[query.reference] for query in queries]
    texts = [query.instruction for query in queries]
    return {
        "gallery": encoder.encode_images(list(opened.values())) * 3,  # not of unit length
        "gallery_ids": np.array(images),
        "queries": encoder.encode_composed(references, texts),
        "query_ids": np.array([query.id for query in queries]),
        "image": encoder.encode_images(references),
        "text": encoder.encode_texts(texts),
    }


def test_embeddings_rank_as_a_search_of_the_gallery_does(
    folder: Path, gallery: Path, settings: Settings, tmp_path: Path
) -> None:
    own = bench.run(bench.load_set(folder), gallery=gallery, ablations=True, settings=settings)
    np.savez_compressed(tmp_path / "e.npz", **arrays(folder, gallery))
    labelled = bench.load_set(folder)
    found = bench.import_run(
        labelled, tmp_path / "e.npz", system="compact", gallery=gallery, settings=settings
    )
    assert list(found.modes) == MODES
    assert own.folder is not None and found.folder is not None
    for mode in MODES:
        assert rankings(found.folder, mode) == rankings(own.folder, mode)
    assert found.modes == own.modes


def parquet(given: dict[str, Any], path: Path, **changes: Any) -> Path:
    """The same embeddings as a table, ablations in another order than the queries."""
    parts: list[str] = []
    names: list[str] = []
    vectors: list[list[float]] = []
    ids = {"gallery": "gallery_ids"}
    for part in ("gallery", "queries", "image", "text"):
        order = slice(None, None, -1 if part == "image" else 1)
        rows = given[part][order].tolist()
        parts += [part] * len(rows)
        names += given[ids.get(part, "query_ids")][order].tolist()
        vectors += rows
    columns = {"part": parts, "id": names, "vector": vectors} | changes
    table = pyarrow.table({name: each for name, each in columns.items() if each is not None})
    pyarrow.parquet.write_table(table, path)
    return path


def test_embeddings_may_come_as_a_table(
    folder: Path, gallery: Path, settings: Settings, tmp_path: Path
) -> None:
    given, labelled = arrays(folder, gallery), bench.load_set(folder)
    np.savez(tmp_path / "e.npz", **given)
    parquet(given, tmp_path / "e.parquet")
    first, second = (
        bench.import_run(labelled, tmp_path / name, system="compact", settings=settings)
        for name in ("e.npz", "e.parquet")
    )
    assert first.modes == second.modes and list(second.modes) == MODES


def test_tables_that_are_no_embeddings_are_refused(
    importing: Import, folder: Path, gallery: Path, tmp_path: Path
) -> None:
    given, path = arrays(folder, gallery), tmp_path / "e.parquet"
    count = sum(len(given[each]) for each in ("gallery", "queries", "image", "text"))
    ragged = [[0.5, 0.5], [0.5], *([[0.5, 0.5]] * (count - 2))]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"vector": None}, "lacks the column 'vector'"),
        ({"vector": ragged}, "of one length in all rows"),
        ({"vector": ["red"] * count}, "is a list of numbers"),
        ({"part": ["gallery"] * count}, "lacks the array 'queries'"),
    ]
    for changes, message in cases:
        refused = importing(parquet(given, path, **changes))
        assert refused.exit_code == 2 and message in refused.stderr, (message, refused.stderr)
    names = pyarrow.parquet.read_table(parquet(given, path))["id"].to_pylist()
    refused = importing(parquet(given, path, id=[*names[:-1], "q9"]))
    assert "the rows of 'text' are not those of the queries" in refused.stderr
    path.write_bytes(b"PAR1 cut short")
    assert "cannot be read as a Parquet file" in importing(path).stderr


def test_files_that_are_no_embeddings_are_refused(
    importing: Import, folder: Path, gallery: Path, tmp_path: Path
) -> None:
    good, path = arrays(folder, gallery), tmp_path / "e.npz"
    nan, zero = good["queries"].copy(), good["gallery"].copy()
    nan[1, 3], zero[0] = np.nan, 0
    cases: list[tuple[dict[str, Any], str]] = [
        ({"gallery_ids": None}, "lacks the array 'gallery_ids'"),
        ({"queries": good["queries"][:2]}, "'queries' has 2 rows, but there are 3 names"),
        ({"queries": good["queries"][:, :9]}, "'queries' has rows of length 9"),
        ({"text": good["text"][:, :9]}, "'text' has rows of length 9"),
        ({"queries": nan}, "no usable embedding of 'q2'"),
        ({"gallery": zero}, "'gallery' has no usable embedding of"),
        ({"query_ids": np.array(["q1", "q2", "q1"])}, "names 'q1' twice"),
        ({"query_ids": np.array(["q1", "q2", "q9"])}, "there is no query 'q9'"),
        ({"query_ids": np.array(["q1", "q2", "q3"], dtype=object)}, "objects are not opened"),
        ({"gallery": good["gallery"].astype(int)}, "is not a table of floating point numbers"),
    ]
    for changes, message in cases:
        merged = {name: each for name, each in (good | changes).items() if each is not None}
        np.savez(path, **merged)
        refused = importing(path)
        assert refused.exit_code == 2 and message in refused.stderr, (message, refused.stderr)
    for content in (b"PK\x03\x04 cut short", b"no zip"):
        path.write_bytes(content)
        assert "cannot be read as an .npz" in importing(path).stderr
    np.save(tmp_path / "one.npy", good["gallery"])
    (tmp_path / "one.npy").rename(path)
    assert "a single array" in importing(path).stderr
    assert not (tmp_path / "run").exists() and not list(tmp_path.glob(".partial-*"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"q1": {"blue.png": "0.5"}}, "query 'q1': the score of 'blue.png' is not a finite number"),
        ({"q1": {"blue.png": True}}, "the score of 'blue.png' is not a finite number"),
        ({"q1": {"blue.png": float("nan")}}, "the score of 'blue.png' is not a finite number"),
        ({"q1": 3}, "'q1' has no list of images, nor an object of their scores"),
        (FOUND | {"q9": ["blue.png"]}, "there is no query 'q9'"),
        ({"q1": ["blue.png", "blue.png"]}, "names an image twice, 'blue.png'"),
        ({"q1": ["blue.png"]}, "the first of them 'q2'"),
    ],
)
def test_bad_rankings_leave_nothing(
    importing: Import, tmp_path: Path, content: object, message: str
) -> None:
    refused = importing(write(tmp_path / "f.json", content))
    assert refused.exit_code == 2 and message in refused.stderr
    assert not (tmp_path / "run").exists() and not list(tmp_path.glob(".partial-*"))


def test_images_that_the_gallery_lacks_are_refused_or_counted_as_never_found(
    importing: Import, gallery: Path, tmp_path: Path
) -> None:
    file = write(tmp_path / "f.json", FOUND | {"q3": ["red.png", "no such.png", "blue.png"]})
    refused = importing(file, "--gallery", str(gallery))
    assert refused.exit_code == 2 and "the image 'no such.png', which is not in" in refused.stderr
    assert importing(file, "--gallery", str(gallery), "--allow-missing").exit_code == 0


def test_of_cirr_candidates_are_ranked_too_and_images_are_paths(
    tmp_path: Path, settings: Settings
) -> None:
    labelled = bench.load_set("cirr", root=write_cirr(tmp_path / "cirr"))
    images = draw_all(tmp_path / "images", [f"dev/{name}.png" for name in CIRR_IMAGES])
    found = {query.id: list(reversed(CIRR_IMAGES)) for query in labelled.queries}
    run = bench.import_run(labelled, found, system="other", gallery=images, settings=settings)
    assert {"recall@50", "recall_subset@1"} <= set(run.metrics)
    assert run.folder is not None
    query = labelled.queries[0]
    ranked = rankings(run.folder, "composed")[query.id]
    assert ranked == [f"dev/{name}.png" for name in found[query.id] if name != query.reference]
    assert (run.folder / "composed.subset.trec").is_file()
    among = {query.id: list(query.candidates) for query in labelled.queries}
    alone = Request(system="other", rankings=found, subset_rankings=among)
    again = import_run(labelled, alone, settings)
    ranks = [list(each.candidates).index(next(iter(each.targets))) for each in labelled.queries]
    share = sum(rank < 2 for rank in ranks) / len(cirr_records())
    assert again["metrics"]["recall_subset@2"] == pytest.approx(share)


def test_candidates_alone_are_no_ranking_of_the_gallery(tmp_path: Path, settings: Settings) -> None:
    labelled = bench.load_set("cirr", root=write_cirr(tmp_path / "cirr"))
    among = {query.id: list(query.candidates) for query in labelled.queries}
    with pytest.raises(UsageError, match="nothing but the candidates"):
        bench.import_run(labelled, among, system="other", settings=settings)
    with pytest.raises(UsageError, match="nothing but the candidates"):
        bench.score(labelled, among)


def test_a_gallery_that_is_not_circo_s_is_refused_or_told_of(
    tmp_path: Path, settings: Settings
) -> None:
    labelled = bench.load_set("circo", root=write_circo(tmp_path / "circo"))
    images = draw_all(tmp_path / "images", [f"{n:012}.png" for n in range(10, 30)])
    found = {query.id: [str(n) for n in range(12, 20)] for query in labelled.queries}
    with pytest.raises(UsageError, match="is not the benchmark's"):
        bench.import_run(labelled, found, system="x", gallery=images, settings=settings)


def test_embeddings_without_an_image_are_refused_or_told_of(
    folder: Path, gallery: Path, settings: Settings, tmp_path: Path
) -> None:
    given = arrays(folder, gallery)
    kept = given["gallery_ids"] != "blue.png"
    given |= {"gallery": given["gallery"][kept], "gallery_ids": given["gallery_ids"][kept]}
    np.savez(tmp_path / "e.npz", **given)
    labelled = bench.load_set(folder)
    with pytest.raises(UsageError, match=r"'gallery_ids' of .*e\.npz does not hold: .*'blue\.png'"):
        bench.import_run(labelled, tmp_path / "e.npz", system="x", settings=settings)
    request = Request(system="x", rankings=tmp_path / "e.npz", allow_missing=True)
    absent = import_run(labelled, request, settings)["absent"]
    assert (absent["references"], absent["targets"], absent["unreachable_queries"]) == (0, 1, 1)


def test_rankings_of_several_lengths_and_notes_of_candidates_are_told_of(
    tmp_path: Path, folder: Path, settings: Settings
) -> None:
    found = FOUND | {"q1": ["blue.png"]}
    document = import_run(bench.load_set(folder), Request(system="x", rankings=found), settings)
    assert any("that of 'q1') hold fewer than" in note for note in document["notes"])
    labelled = bench.load_set("cirr", root=write_cirr(tmp_path / "cirr"))
    query, *_ = labelled.queries
    whole = {each.id: list(CIRR_IMAGES) for each in labelled.queries}
    lines = [
        # Of the first query the ranks contradict the scores.
        f"{each.id} Q0 {image} {n} {n if each is query else -n}.0 x"
        for each in labelled.queries
        for n, image in enumerate(each.candidates, 1)
    ]
    (tmp_path / "few.trec").write_text("\n".join(lines))
    request = Request(system="x", rankings=whole, subset_rankings=tmp_path / "few.trec")
    document = import_run(labelled, request, settings)
    assert any("are not the order of their scores" in note for note in document["notes"])


def test_a_score_beyond_all_numbers_is_refused(importing: Import, tmp_path: Path) -> None:
    file = write(tmp_path / "scores.json", {"q1": {"blue.png": 10**400}})
    result = importing(file, "--allow-missing")
    assert result.exit_code == 2 and "is not a finite number" in result.stderr


def test_what_cannot_be_imported(folder: Path, settings: Settings) -> None:
    labelled = bench.load_set(folder)
    for changes, message in (
        ({"system": " "}, "Give the system a name"),
        ({"system": "x", "ablations": {"both": FOUND}}, "There is no ablation 'both'"),
        ({"system": "x", "subset_rankings": FOUND}, "have no candidates"),
        ({"system": "x", "gallery": folder / "none"}, "There is no folder"),
    ):
        with pytest.raises(UsageError, match=message):
            import_run(labelled, Request(**{"rankings": FOUND} | changes), settings)
