"""One figure for several sets: FashionIQ is reported as the mean of its three categories."""

from collections.abc import Sequence
from typing import Any

from cir.errors import UsageError
from eval.runs.reading import Run


def mean_of_runs(runs: Sequence[Run]) -> dict[str, Any]:
    """The unweighted mean of the figures of runs on different sets, each set counting once.

    FashionIQ's authors average their three categories so, however many queries each has (Wu et al.,
    CVPR 2021). Only measures that every run has in a mode are averaged.

    Raises:
        UsageError: fewer than two runs, two of one set, different encoders, or nothing in common.
    """
    if len(runs) < 2:
        raise UsageError("A mean needs two runs or more, each on another set.")
    names = [run.set for run in runs]
    if len(set(names)) < len(names):
        raise UsageError(
            f"Two of the runs are on the same set ({', '.join(names)}): name one run a set."
        )
    encoders = {(run.encoder, run.document.get("encoder_fingerprint")) for run in runs}
    if len(encoders) > 1:
        raise UsageError("The runs were made with different encoders: a mean would mix them.")
    shared = [mode for mode in runs[0].modes if all(mode in run.modes for run in runs)]
    modes = {mode: _means(runs, mode) for mode in shared}
    if not any(modes.values()):
        raise UsageError("The runs have no measure in common.")
    return {"sets": names, "encoder": runs[0].encoder, "modes": modes}


def _means(runs: Sequence[Run], mode: str) -> dict[str, float]:
    figures = [run.modes[mode] for run in runs]
    measures = [name for name in figures[0] if all(name in each for each in figures)]
    return {name: sum(each[name] for each in figures) / len(figures) for name in measures}
