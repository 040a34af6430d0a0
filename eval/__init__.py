"""Evaluation: labelled sets, measures, and runs over the same search that people use.

    import eval as bench

    labelled = bench.load_set("cirr", root="ANNOTATIONS")
    run = bench.run(labelled, gallery="IMAGES", ablations=True)
    run.metrics["recall@10"], run.groups, run.table, run.folder
    bench.score(labelled, {"query id": ["best.jpg", "next.jpg"]}, measures=["recall@20"]).metrics
    print(bench.compare([run, (run, "sum")]))

The names below are public; the rest of the package may change. They load when they are first used:
importing this package loads neither an encoder nor Milvus nor pandas.
"""

from typing import TYPE_CHECKING

from cir.late import late_names

if TYPE_CHECKING:
    from eval.comparison.comparing import Comparison
    from eval.comparison.difficulty import Difficulty
    from eval.comparison.means import MeanComparison
    from eval.evaluation.scoring import Scored
    from eval.library import (
        compare,
        compare_means,
        difficulty,
        import_run,
        list_runs,
        load_set,
        open_run,
        repeat,
        run,
        score,
        write_report,
    )
    from eval.measures import Measure, parse_measure
    from eval.runs.reading import Run
    from eval.sets.labelled import LabelledQuery, LabelledSet

__all__ = [
    "Comparison",
    "Difficulty",
    "LabelledQuery",
    "LabelledSet",
    "MeanComparison",
    "Measure",
    "Run",
    "Scored",
    "compare",
    "compare_means",
    "difficulty",
    "import_run",
    "list_runs",
    "load_set",
    "open_run",
    "parse_measure",
    "repeat",
    "run",
    "score",
    "write_report",
]

_ROOMS = {
    "Comparison": "eval.comparison.comparing",
    "Difficulty": "eval.comparison.difficulty",
    "LabelledQuery": "eval.sets.labelled",
    "LabelledSet": "eval.sets.labelled",
    "MeanComparison": "eval.comparison.means",
    "Measure": "eval.measures",
    "Run": "eval.runs.reading",
    "Scored": "eval.evaluation.scoring",
    "parse_measure": "eval.measures",
}


__getattr__ = late_names(__name__, {name: _ROOMS.get(name, "eval.library") for name in __all__})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
