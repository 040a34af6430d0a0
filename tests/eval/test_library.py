"""What `import eval` offers, on the drawn gallery: real encoder, real store."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import cir
import eval as bench
from cir.encoders.compact.encoder import CompactEncoder
from cir.errors import EncoderMismatchError, UsageError
from cir.settings import Settings
from eval.sets.catalogue import Place, register
from eval.sets.own import NewQuery, add_query
from tests.eval.command_line import MODES, QRELS, QUERIES, WriteSet
from tests.eval.layouts import CIRR_IMAGES, draw_all, write_cirr, write_fashioniq
from tests.own_encoder import MeanColour


@pytest.fixture
def settings(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CIR_DATA_DIR", str(data_dir))
    return Settings(None, None, data_dir, "compact")


@pytest.fixture
def run(settings: Settings, labelled: Path, gallery: Path) -> bench.Run:
    return bench.run(labelled, gallery=gallery, ablations=True)


def test_the_names_load_late() -> None:
    code = "import sys, eval; print({'numpy', 'pandas', 'pymilvus', 'typer'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    code = "import sys, eval; [getattr(eval, name) for name in eval.__all__];"
    code += "print({'pandas', 'pymilvus', 'torch', 'typer', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", bench.__all__)
def test_every_name_is_documented(name: str) -> None:
    assert getattr(bench, name).__doc__
    assert name in dir(bench)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'evaluate'"):
        _ = bench.evaluate


def test_a_run_has_figures_groups_and_a_folder(run: bench.Run, settings: Settings) -> None:
    assert list(run.modes) == MODES
    assert run.metrics == run.modes["composed"]
    assert set(run.groups) == {"colour", "pattern"}
    assert run.folder is not None and (run.folder / "composed.trec").is_file()
    assert bench.open_run(run.folder).metrics == run.metrics
    assert bench.open_run(run.name).metrics == run.metrics
    assert run.name in [each.name for each in bench.list_runs()]


def test_a_table_has_a_row_for_each_query(run: bench.Run) -> None:
    table = run.table
    assert list(table.columns)[:7] == ["id", "groups", "instruction", *MODES]
    assert table["id"].tolist() == ["q1", "q2", "q3"]
    assert table["groups"].tolist() == [("colour",), ("pattern",), ("colour",)]
    assert table["instruction"].tolist() == [each["text"] for each in QUERIES]
    assert (1 / table["composed"]).mean() == pytest.approx(run.metrics["mrr"])
    assert table["sum map@10"].mean() == pytest.approx(run.modes["sum"]["map@10"], abs=1e-5)
    assert run.folder is not None
    assert bench.open_run(run.folder).table.equals(table)


def test_a_changed_set_is_run_as_it_is(run: bench.Run, gallery: Path, settings: Settings) -> None:
    assert run.labelled is not None
    first = replace(run.labelled.queries[0], instruction="in red")
    changed = replace(run.labelled, queries=(first,), source=None)
    other = bench.run(changed, gallery=gallery)
    assert other.table["instruction"].tolist() == ["in red"]
    assert other.folder is not None
    # Its words are in no file, so only this process knows them.
    assert bench.open_run(other.folder).table["instruction"].tolist() == [None]


def test_a_text_alone_can_be_asked(run: bench.Run, gallery: Path, settings: Settings) -> None:
    assert run.labelled is not None
    said = bench.LabelledQuery("t", reference="", instruction="in blue", targets={"blue.png": 1})
    labelled = replace(run.labelled, queries=(*run.labelled.queries, said), source=None)
    found = bench.run(labelled, gallery=gallery, ablations=True).table.set_index("id").loc["t"]
    assert found["composed"] == found["text"] == found["sum"] > 0
    assert str(found["image"]) == "<NA>"


def test_more_measures_are_reported(settings: Settings, labelled: Path, gallery: Path) -> None:
    run = bench.run(labelled, gallery=gallery, measures=["recall@2", "map@200"])
    assert {"recall@2", "map@200", "recall@10"} <= set(run.metrics)
    assert run.part("settings")["depth"] == 200
    with pytest.raises(UsageError, match="candidates"):
        bench.run(labelled, gallery=gallery, measures=["recall_subset@1"])


def test_options_of_the_search_are_run_and_kept(
    run: bench.Run, settings: Settings, labelled: Path, gallery: Path
) -> None:
    options = cir.SearchOptions(balance=0, less=["red*0.5"])
    steered = bench.run(labelled, gallery=gallery, ablations=True, options=options)
    kept = steered.part("settings")
    assert (kept["balance"], kept["less"], kept["turn"]) == (0, ["red*0.5"], 0)
    assert (run.part("settings")["balance"], run.part("settings")["less"]) == (0.5, [])
    assert steered.modes["composed"] == steered.modes["text"]
    told = "The runs differ also in: the search option balance, the search option less."
    assert told in str(bench.compare([run, steered]))
    assert run.modes["image"] != steered.modes["image"]


def test_an_encoder_needs_nothing_but_the_protocol(
    settings: Settings, write_set: WriteSet, gallery: Path
) -> None:
    labelled = write_set(QUERIES[::2], QRELS[::2])
    run = bench.run(labelled, gallery=gallery, encoder=MeanColour(), ablations=True)
    assert run.encoder == "mean-colour"
    assert run.metrics["recall@5"] == 1.0 > run.modes["image"]["recall@5"]
    assert run.document["encoder_fingerprint"] == MeanColour.fingerprint
    by_name = bench.run(
        labelled, gallery=gallery, encoder=f"{MeanColour.__module__}:MeanColour", ablations=True
    )
    assert by_name.modes == run.modes


def test_an_index_is_searched_by_name_or_as_it_is(
    settings: Settings, write_set: WriteSet, gallery: Path, compact: CompactEncoder
) -> None:
    encoder = MeanColour()
    index = cir.Store(settings=settings).index("library", gallery, encoder=encoder)
    labelled = write_set(QUERIES, QRELS)
    run = bench.run(labelled, index=index)
    assert run.part("gallery")["kind"] == "index"
    assert bench.run(labelled, index="library", encoder=encoder).metrics == run.metrics
    with pytest.raises(EncoderMismatchError, match="made by the encoder mean-colour"):
        bench.run(labelled, index="library", encoder=compact)


def test_rankings_of_any_system_are_scored(run: bench.Run) -> None:
    labelled = run.labelled
    assert labelled is not None
    ranked = {"q1": ["red.png", "blue.png"], "q2": ["blue.png"]}
    with pytest.raises(UsageError, match=r"1 of the 3 queries .* first of them .q3."):
        bench.score(labelled, ranked)
    scored = bench.score(labelled, ranked, measures=["recall@1", "mrr"], allow_missing=True)
    assert scored.metrics == {"recall@1": pytest.approx(1 / 3), "mrr": pytest.approx(1 / 3)}
    assert scored.groups["colour"]["queries"] == 2
    assert any("q3" in note for note in scored.notes)
    kept = bench.score(labelled, ranked, measures=["mrr"], keep_reference=True, allow_missing=True)
    assert kept.metrics["mrr"] == pytest.approx(0.5 / 3)
    with pytest.raises(UsageError, match=r"These rankings: the query .q1. ranks .* twice"):
        bench.score(labelled, {"q1": ["blue.png", "blue.png"]})


def test_a_run_and_its_file_score_as_it_did(run: bench.Run) -> None:
    assert run.labelled is not None and run.folder is not None
    for rankings in (run, run.folder / "composed.trec"):
        scored = bench.score(run.labelled, rankings)
        assert scored.metrics == pytest.approx(run.metrics)


def test_candidates_of_a_run_are_scored_too(settings: Settings, tmp_path: Path) -> None:
    root = write_cirr(tmp_path / "annotations")
    names = [f"dev/{name}.png" for name in [*CIRR_IMAGES, "dev-77-0-img0"]]
    labelled = bench.load_set("cirr", root=root)
    run = bench.run(labelled, gallery=draw_all(tmp_path / "images", names))
    scored = bench.score(labelled, run)
    assert scored.metrics == pytest.approx(run.metrics) and "recall_subset@1" in scored.metrics


def test_a_comparison_prints_as_a_table(run: bench.Run) -> None:
    compared = bench.compare([run, (run, "sum"), (run, "text")], measure="mrr")
    text = str(compared)
    assert f"{run.name}:sum minus {run.name}, 3 queries" in text
    assert "recall@10" in text and "95 %" in text
    assert all(words in text for words in compared.words("mrr"))
    assert bench.compare([run, (run, "sum")]).measure == "recall@10"
    with pytest.raises(UsageError, match="not measured"):
        bench.compare([run, (run, "sum")], measure="ndcg@7")


def test_queries_are_looked_at_over_several_runs(run: bench.Run) -> None:
    looked = bench.difficulty([run, (run, "text")], measure="recall@1")
    assert [query.id for query in looked.queries] == ["q1", "q2", "q3"]
    assert looked.measure == "recall@1"
    with pytest.raises(UsageError, match="two runs or more"):
        bench.compare_means([run], [run])


def test_sets_are_known_by_name(
    settings: Settings, write_set: WriteSet, gallery: Path, tmp_path: Path
) -> None:
    folder = write_set(QUERIES, QRELS)
    register(Place("colours", "native", folder, gallery), settings)
    add_query("mine", NewQuery("shop", "red.png", "in blue", ("blue.png",)), settings)
    assert len(bench.load_set(folder).queries) == 3
    assert bench.load_set("mine").queries[0].instruction == "in blue"
    registered = bench.load_set("colours")
    assert (registered.name, len(registered.queries)) == ("colours", 3)
    # Its images are known, too.
    assert bench.run("colours").part("gallery")["folder"] == str(gallery)
    with pytest.raises(UsageError, match="There is no folder nothing"):
        bench.load_set("nothing")
    root = write_fashioniq(tmp_path / "fashioniq")
    both = bench.load_set("fashioniq-dress", root=root, both_orders=True)
    assert any(query.reworded for query in both.queries)
    with pytest.raises(UsageError, match="load_set"):
        bench.run(registered, split="val")


def test_the_sample_is_drawn_and_known_with_its_images(
    settings: Settings, write_set: WriteSet, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(place: Path, on_progress: object) -> Path:
        place.mkdir()
        write_set(QUERIES, QRELS).rename(place / "labelled")
        return shutil.copytree(gallery, place / "images")

    monkeypatch.setattr("cir.sample.building.write_catalogue", drawn)
    labelled = bench.load_set("sample")
    assert (labelled.name, len(labelled.queries)) == ("sample", 3)
    assert labelled.source is not None
    assert labelled.source.images == settings.data_dir / "sample" / "images"


def test_a_report_is_a_page(run: bench.Run, tmp_path: Path) -> None:
    assert bench.write_report(run, tmp_path / "report.html") == []
    assert "in blue" in (tmp_path / "report.html").read_text()
