"""How much a ranking changes when the same wish is typed otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from eval.model_card.rewording import SEED, WORDINGS
from eval.runs.queries import ranked_paths
from eval.runs.ranks import COMPOSED
from eval.runs.reading import Run
from eval.sets.labelled import LabelledSet

CUT = 10


def robustness(
    labelled: LabelledSet, plain: Run, ask: Callable[[LabelledSet], Run]
) -> dict[str, Mapping[str, float]]:
    """For each way of typing: recall@10, and how much of the first ten stays the same (0 to 1).

    Args:
        labelled: the queries as they are written.
        plain: their run.
        ask: gives the run of a set over the same gallery.
    """
    report = {"as written": _figures(plain, plain, labelled)}
    for wording in WORDINGS.values():
        random = np.random.default_rng(SEED)
        queries = tuple(
            replace(query, instruction=wording.change(query.instruction, random))
            for query in labelled.queries
        )
        other = ask(replace(labelled, queries=queries, source=None))
        report[wording.title] = _figures(plain, other, labelled)
    return report


def _figures(plain: Run, other: Run, labelled: LabelledSet) -> Mapping[str, float]:
    ids = [query.id for query in labelled.queries]
    before = ranked_paths(plain, COMPOSED, ids, CUT)
    now = ranked_paths(other, COMPOSED, ids, CUT)
    kept = [len({*first} & {*now.get(each, ())}) / len(first) for each, first in before.items()]
    return {
        f"recall@{CUT}": round(other.metrics[f"recall@{CUT}"], 4),
        "first ten kept": round(float(np.mean(kept)), 4) if kept else 0.0,
    }
