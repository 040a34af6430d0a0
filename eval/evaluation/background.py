"""An evaluation as a job: with the stage it is at, and an end when somebody asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cir.access import refuse_change
from cir.errors import UsageError
from cir.jobs.background import Job
from cir.progress import Progress
from cir.settings import Settings
from eval.evaluation.running import Request, run
from eval.sets.catalogue import NATIVE_NAME, Place, load_place, sample_place
from eval.sets.own import keep_set

READING, LOADING = "Reading the labelled set", "Loading the encoder"
"""The stages before those of the run itself."""


@dataclass(frozen=True)
class Plan:
    """What a job evaluates.

    Attributes:
        request: where and how the labelled set is asked.
        place: the labelled set; one of the next two otherwise.
        split: which judgements; None takes the usual one.
        reading: options of the set's format, by name.
        sample: which of the sample's labelled sets to run, of `eval.sets.catalogue.SAMPLES`; it is
            drawn if need be, and without an index its own pictures are searched.
        upload: name and content of the files of a labelled set to keep and run.
        template: how instructions are said, see `eval.sets.templates`; None for as they stand.
    """

    request: Request
    place: Place | None = None
    split: str | None = None
    reading: Mapping[str, bool] | None = None
    sample: str | None = None
    upload: Sequence[tuple[str, bytes]] = ()
    template: str | None = None


def evaluate_in_job(job: Job, plan: Plan, settings: Settings) -> dict[str, Any]:
    """Do what the plan says; gives the run's document.

    Raises:
        ReadOnlyError: this Recompose changes nothing.
        JobCancelled: somebody has cancelled the job; no run is left then.
        RecomposeError: as `eval.evaluation.running.run`.
    """
    refuse_change(settings.read_only)
    request, place = plan.request, plan.place
    if plan.sample:
        place = sample_place(plan.sample, settings, job.tell)
        if request.index is None and request.gallery is None:
            request = replace(request, gallery=place.images)
    elif plan.upload:
        job.tell(Progress(READING))
        folder = keep_set(plan.upload, settings.data_dir)
        place = Place(folder.name, NATIVE_NAME, folder)
    if place is None:
        raise UsageError("There is no labelled set to run: choose one.")
    job.tell(Progress(LOADING))
    labelled = load_place(place, plan.split, plan.reading, plan.template)
    return run(labelled, request, settings, job.tell)
