"""An evaluation as a job: with the stage it is at, and an end when somebody asks for it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cir.access import refuse_change
from cir.errors import UsageError
from cir.jobs.background import Job
from cir.progress import Progress
from cir.sample.building import draw_sample, sample_labelled_set
from cir.settings import Settings
from eval.evaluation.running import OnProgress, Request, run
from eval.sets.catalogue import NATIVE_NAME, Place, load_place
from eval.sets.own import keep_set

SAMPLE = "sample"
"""What a run calls the sample's labelled set."""

STAGES = {
    "set": "Reading the labelled set",
    "encoder": "Loading the encoder",
    "gallery": "Encoding the gallery",
    "queries": "Asking the queries",
}
"""The stages of a job in words, as they come; drawing the sample is told by `draw_sample`."""


@dataclass(frozen=True)
class Plan:
    """What a job evaluates.

    Attributes:
        request: where and how the labelled set is asked.
        place: the labelled set; one of the next two otherwise.
        split: which judgements; None takes the usual one.
        reading: options of the set's format, by name.
        sample: whether to run the sample's labelled set, which is drawn if need be; without an
            index its own pictures are searched.
        upload: name and content of the files of a labelled set to keep and run.
    """

    request: Request
    place: Place | None = None
    split: str | None = None
    reading: Mapping[str, bool] | None = None
    sample: bool = False
    upload: Sequence[tuple[str, bytes]] = ()


def evaluate_in_job(job: Job, plan: Plan, settings: Settings) -> dict[str, Any]:
    """Do what the plan says; gives the run's document.

    Raises:
        ReadOnlyError: this Recompose changes nothing.
        JobCancelled: somebody has cancelled the job; no run is left then.
        RecomposeError: as `eval.evaluation.running.run`.
    """
    refuse_change(settings.read_only)
    tell = stage_teller(job)
    request, place = plan.request, plan.place
    if plan.sample:
        draw_sample(settings, job.tell)
        labelled, pictures = sample_labelled_set(settings)
        gallery = pictures if request.index is None and request.gallery is None else request.gallery
        request = replace(request, gallery=gallery)
        place = Place(SAMPLE, NATIVE_NAME, labelled, given_name=SAMPLE)
    elif plan.upload:
        tell("set", 0, 0)
        folder = keep_set(plan.upload, settings.data_dir)
        place = Place(folder.name, NATIVE_NAME, folder)
    if place is None:
        raise UsageError("There is no labelled set to run: choose one.")
    tell("encoder", 0, 0)
    return run(load_place(place, plan.split, plan.reading), request, settings, tell)


def stage_teller(job: Job) -> OnProgress:
    """A listener for a run that tells a job, and so ends the run of a cancelled one."""
    began: dict[str, float] = {}

    def tell(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        seconds = now - began.setdefault(stage, now)
        rate = done / seconds if seconds > 0 else 0.0
        left = (total - done) / rate if rate > 0 else None
        job.tell(Progress(done, total, 0, 0, rate, left, STAGES[stage]))

    return tell
