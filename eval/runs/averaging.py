"""One figure for several sets: FashionIQ is reported as the mean of its three categories."""

import json
from collections.abc import Sequence
from typing import Any

from cir.errors import UsageError
from cir.search import bench_options
from eval.runs.reading import Run
from eval.sets.catalogue import NATIVE_NAME
from eval.sets.formats import find_format, formats

_PROTOCOL = {
    "split": "the split",
    "keep_reference": "whether the reference stays in the ranking",
    "template": "the template of the instructions",
}


def mean_of_runs(runs: Sequence[Run]) -> dict[str, Any]:
    """The unweighted mean of the figures of runs on different sets, each set counting once.

    FashionIQ's authors average their three categories so, however many queries each has (Wu et al.,
    CVPR 2021). Only measures that every run has in a mode are averaged.

    Returns:
        `sets`, `encoder` and `modes`; where the galleries of all lacked images, `notes`, which say
        so.

    Raises:
        UsageError: fewer than two runs, two of one set, different encoders or protocols, sets of
            several benchmarks or not all of one's, or nothing in common.
    """
    if len(runs) < 2:
        raise UsageError("A mean needs two runs or more, each on another set.")
    names = [run.set for run in runs]
    for place, run in enumerate(runs):
        for other in runs[:place]:
            if run.set == other.set or run.same_set(other):
                raise UsageError(
                    f"{other.name} and {run.name} are on the same set ({', '.join(names)}): name "
                    "one run a set."
                )
    encoders = {(run.encoder, run.document.get("encoder_fingerprint")) for run in runs}
    if len(encoders) > 1:
        raise UsageError("The runs were made with different encoders: a mean would mix them.")
    _check_benchmark(runs)
    _check_protocol(runs)
    lacking = [run.name for run in runs if any(run.part("absent").values())]
    if lacking and len(lacking) < len(runs):
        raise UsageError(
            f"The gallery of {lacking[0]} lacked images of its set, others were whole: a mean "
            "would mix them."
        )
    shared = [mode for mode in runs[0].modes if all(mode in run.modes for run in runs)]
    modes = {mode: _means(runs, mode) for mode in shared}
    if not any(modes.values()):
        raise UsageError("The runs have no measure in common.")
    document: dict[str, Any] = {"sets": names, "encoder": runs[0].encoder, "modes": modes}
    if lacking:
        document["notes"] = ["The galleries lacked images of the sets: figures are higher for it."]
    return document


def _check_benchmark(runs: Sequence[Run]) -> None:
    """Refuse sets of several benchmarks, and a part of one that has several sets."""
    forms = [find_format(run.part("settings").get("format", NATIVE_NAME)) for run in runs]
    first = forms[0]
    for run, form in zip(runs, forms, strict=True):
        if form is not first:
            raise UsageError(
                f"{runs[0].set} and {run.set} are of different benchmarks, which are counted "
                "differently: a mean would mix them."
            )
    if first is None or len(first.names) == 1:
        return
    there = [run.part("settings").get("format") for run in runs]
    twice = [run for place, run in enumerate(runs) if there[place] in there[:place]]
    if twice:
        raise UsageError(
            f"Two of the runs are on {twice[0].part('settings').get('format')}, the last of them "
            f"{twice[0].name}: name one run a set."
        )
    missing = [name for name in first.names if name not in there]
    if missing:
        raise UsageError(
            f"{first.title} is the mean of all of its sets: a run of {missing[0]} is missing."
        )


def _check_protocol(runs: Sequence[Run]) -> None:
    """Refuse runs whose figures were counted or asked in different ways."""
    usual: dict[str, Any] = {each.name: each.default for each in bench_options()}
    told = dict(_PROTOCOL)
    for form in formats():
        for option in form.options:
            usual[option.name] = False
            told[option.name] = f"to {option.help}"
    told |= {each.name: f"the search option {each.name}" for each in bench_options()}
    first, *others = runs
    for key, words in told.items():
        values = [run.part("settings").get(key, usual.get(key)) for run in runs]
        for run, value in zip(others, values[1:], strict=True):
            if _plain(value) != _plain(values[0]):
                raise UsageError(
                    f"{first.name} and {run.name} differ in {words}: a mean would mix them."
                )


def _plain(value: object) -> str:
    return json.dumps(value, default=str)


def _means(runs: Sequence[Run], mode: str) -> dict[str, float]:
    figures = [run.modes[mode] for run in runs]
    measures = [name for name in figures[0] if all(name in each for each in figures)]
    return {name: sum(each[name] for each in figures) / len(figures) for name in measures}
