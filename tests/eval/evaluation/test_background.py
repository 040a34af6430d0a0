"""An evaluation as a job: progress by stage, cancel, errors as sentences."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Timer

import pytest

from cir.jobs.background import Job, Jobs
from cir.progress import Progress, ProgressTeller
from cir.settings import Settings
from eval.evaluation import ranking
from eval.evaluation.background import LOADING, Plan, evaluate_in_job
from eval.evaluation.ranking import QUERIES as ASKING
from eval.evaluation.running import GALLERY, Request
from eval.runs.reading import list_runs
from eval.sets.catalogue import NATIVE_NAME, SAMPLE, Place
from tests.quick_server import quick_server

QUERIES = [{"_id": "q", "image": "red.png", "text": "in blue"}]
QRELS = [("q", "blue.png", 1)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    return Settings(None, None, tmp_path / "data", "compact")


@pytest.fixture
def plan(write_set: Callable[..., Path], gallery: Path) -> Plan:
    folder = write_set(QUERIES, QRELS)
    return Plan(Request(gallery=gallery, ablations=True), Place("set", NATIVE_NAME, folder))


def _evaluate(plan: Plan, settings: Settings, job: Job) -> object:
    return evaluate_in_job(job, plan, settings)


def finished(work: Callable[[Job], object]) -> Job:
    job = Jobs().start("key", "a title", work)
    job.wait(60)
    return job


def test_a_job_tells_its_stages_and_leaves_a_run(plan: Plan, settings: Settings) -> None:
    stages: list[str] = []

    def work(job: Job) -> object:
        tell = job.tell

        def heard(progress: object) -> None:
            assert isinstance(progress, Progress)
            stages.append(progress.stage)
            tell(progress)

        job.tell = heard  # type: ignore[method-assign]
        return evaluate_in_job(job, plan, settings)

    job = finished(work)
    assert (job.state, job.error) == ("done", "")
    assert list(dict.fromkeys(stages)) == [LOADING, GALLERY, ASKING]
    (run,), _ = list_runs(settings.runs_dir)
    assert job.result["run"] == str(run.folder)


@pytest.mark.parametrize("stage", [LOADING, GALLERY, ASKING])
def test_a_cancelled_job_leaves_no_run(plan: Plan, settings: Settings, stage: str) -> None:
    def work(job: Job) -> object:
        tell = job.tell

        def cancelling(progress: object) -> None:
            assert isinstance(progress, Progress)
            if progress.stage == stage:
                job.cancel()
            tell(progress)

        job.tell = cancelling  # type: ignore[method-assign]
        return evaluate_in_job(job, plan, settings)

    assert finished(work).state == "cancelled"
    assert not list(settings.runs_dir.glob("*")) and not list(settings.runs_dir.glob(".*"))


def test_the_queries_wait_for_a_server_that_goes_away(
    plan: Plan, settings: Settings, write_set: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "BATCH", 1)
    queries = [{**QUERIES[0], "_id": str(number)} for number in range(4)]
    write_set(queries, [(str(number), "blue.png", 1) for number in range(4)])
    waits: list[Progress] = []
    cuts: list[Timer] = []

    with quick_server() as server:

        def work(job: Job) -> object:
            tell = job.tell

            def heard(progress: Progress) -> None:
                if progress.stage == ASKING and progress.done == 1 and not cuts:
                    server.cut()
                    cuts.append(Timer(1.0, server.restore))
                    cuts[0].start()
                if progress.waiting:
                    waits.append(progress)
                tell(progress)

            job.tell = heard  # type: ignore[method-assign]
            return evaluate_in_job(job, plan, replace(settings, milvus_uri=server.uri))

        job = finished(work)
    assert job.state == "done", job.error
    assert {(each.stage, each.done) for each in waits} == {(ASKING, 1)}


def test_a_read_only_recompose_writes_nothing(plan: Plan, settings: Settings) -> None:
    frozen = replace(settings, read_only=True)
    upload = replace(plan, upload=[("queries.jsonl", b""), ("test.tsv", b"")])
    for each in (plan, replace(plan, sample=SAMPLE), upload):
        job = finished(partial(_evaluate, each, frozen))
        assert job.state == "failed"
        assert "read-only" in job.error
    assert not list(settings.data_dir.iterdir())


def test_an_uploaded_set_is_kept_and_run(plan: Plan, settings: Settings, gallery: Path) -> None:
    assert plan.place is not None
    folder = plan.place.root
    files = [(path.name, path.read_bytes()) for path in folder.rglob("*.*")]
    upload = Plan(Request(gallery=gallery), upload=files)
    job = finished(lambda job: evaluate_in_job(job, upload, settings))
    assert (job.state, job.error) == ("done", "")
    assert job.result["set"] == "uploaded"


def test_the_sample_is_drawn_into_the_data_folder_and_run_under_its_name(
    settings: Settings,
    write_set: Callable[..., Path],
    gallery: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def drawn(place: Path, on_progress: Callable[[Progress], None]) -> Path:
        ProgressTeller(1, on_progress, stage="Drawing").count(1)
        (place / "labelled").parent.mkdir()
        write_set(QUERIES, QRELS).rename(place / "labelled")
        return shutil.copytree(gallery, place / "images")

    monkeypatch.setattr("cir.sample.building.write_catalogue", drawn)
    plan = Plan(Request(), sample=SAMPLE)
    job = finished(lambda job: evaluate_in_job(job, plan, settings))
    assert (job.state, job.error) == ("done", "")
    assert job.result["set"] == "sample"


def test_a_place_for_the_sample_that_is_taken_is_one_sentence(settings: Settings) -> None:
    (settings.data_dir / "sample").mkdir()
    (settings.data_dir / "sample" / "mine.txt").write_text("mine")
    plan = Plan(Request(), sample=SAMPLE)
    job = finished(lambda job: evaluate_in_job(job, plan, settings))
    assert job.state == "failed"
    assert "sample" in job.error
    assert "server's log" not in job.error
