"""A text reranker finetuned on a part of a labelled set, and measured on the rest."""

import json
import random
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.errors import RecomposeError, UsageError
from cir.progress import OnProgress, ProgressTeller
from cir.rerank.finetuning import SCHEDULE, Example, Schedule, check_free, finetune
from cir.rerank.fusing import Outcome, SecondStage, before_rerank, fused, text_of
from cir.rerank.loading import place_of
from cir.settings import Settings
from cir.store import Hit
from eval.evaluation.gallery import Gallery
from eval.evaluation.ranking import COMPOSED, QUERIES, Stopwatch, rank
from eval.evaluation.running import Request, open_gallery
from eval.sets.labelled import LabelledQuery, LabelledSet
from eval.stats import bootstrap_intervals

DEPTH = 50
"""Hits of a query that give wrong texts, and that are ordered anew where it is measured."""
WEIGHTS = (0.1, 0.2)
LEAST_QUERIES = 20
ABOUT = "finetuning.json"
"""The file in the reranker's folder that says what it was fitted to."""
_AT = (1, 10)
Places = NDArray[np.int64]


@dataclass(frozen=True)
class FinetuneRequest:
    """What a reranker is fitted to.

    Attributes:
        where: the gallery or index, and its encoder.
        columns: of the metadata, whose text is read.
        base: see `cir.rerank.finetuning.finetune`.
        out: its folder, new or empty.
        held_out: the share of the reference images whose queries measure it, above 0, below 1.
        schedule: how it is finetuned; its seed draws the held-out ones, too.
    """

    where: Request
    columns: Sequence[str]
    base: str
    out: Path
    held_out: float = 0.5
    schedule: Schedule = SCHEDULE


@dataclass(frozen=True)
class _Asked:
    query: LabelledQuery
    hits: Sequence[Hit]


def finetune_reranker(
    labelled: LabelledSet,
    request: FinetuneRequest,
    settings: Settings,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Finetune, leave the reranker in its folder, and measure it on held-out references.

    Right texts of a query are those of its targets, wrong ones those of the other images among the
    first `DEPTH` that the composed query finds.

    Returns:
        `queries` trained on and `held_out`; `figures`: recall@1 and recall@10 on the held-out ones
        of the composed query alone, of the second stage `words` and of the reranker, at each of the
        `WEIGHTS`; `gains`: what the reranker adds to recall@1 of the first two at the last weight,
        with a 95 % interval over references; `seconds` of the training; `out`. The folder holds
        the same in `finetuning.json`, with base, columns, schedule, and the ids held out.

    Raises:
        UsageError: folder, base or columns that cannot be, or too few queries.
        RerankError: the base cannot be loaded or trained. Nothing is left then.
    """
    if not 0 < request.held_out < 1:
        raise UsageError("The share of held-out references lies between 0 and 1.")
    check_free(request.out)
    place_of(request.base)
    gallery, labelled = open_gallery(request.where, labelled, settings, Stopwatch(), on_progress)
    stage = SecondStage(gallery.index, "words", request.columns, WEIGHTS[-1], DEPTH, settings)
    asked = _ranked(labelled, gallery, on_progress)
    training, measured = _split(asked, request)
    examples = _examples(training, gallery, request.columns)
    if len(examples) < LEAST_QUERIES:
        raise UsageError(
            f"{labelled.name} gives {len(examples)} queries to learn from, with a target that has "
            f"text in {', '.join(request.columns)}: at least {LEAST_QUERIES} are needed."
        )
    began = time.perf_counter()
    finetune(request.base, examples, request.out, settings, request.schedule, on_progress)
    seconds = time.perf_counter() - began
    try:
        return _measured(labelled, request, examples, measured, stage, seconds)
    except BaseException:
        shutil.rmtree(request.out, ignore_errors=True)  # what nobody has measured is not left
        raise


def _measured(
    labelled: LabelledSet,
    request: FinetuneRequest,
    examples: Sequence[Example],
    measured: Sequence[_Asked],
    stage: SecondStage,
    seconds: float,
) -> dict[str, Any]:
    """Figures on what was held out, see `finetune_reranker`; kept beside the reranker."""
    out = request.out.resolve()
    found = {("", 0.0): _first_places(measured)}
    for name in ("words", f"flag:{out}"):
        scored = _scored(measured, replace(stage, name=name))
        for weight in WEIGHTS:
            found[name, weight] = _first_places(scored, weight)
    document = {
        "set": labelled.name,
        "encoder": stage.index.info.encoder,
        "queries": len(examples),
        "held_out": len(measured),
        "figures": [
            {
                "rerank": name.partition(":")[0] or None,
                "weight": weight,
                **{f"recall@{k}": float(np.mean(places < k)) for k in _AT},
            }
            for (name, weight), places in found.items()
        ],
        "gains": _gains(found, measured, f"flag:{out}", request.schedule.seed),
        "seconds": round(seconds, 1),
        "out": str(out),
    }
    about = document | {
        "base": request.base,
        "columns": list(request.columns),
        "schedule": asdict(request.schedule),
        "set_fingerprint": labelled.fingerprint,
        "held_out_queries": [each.query.id for each in measured],
    }
    try:
        (out / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RecomposeError(f"{out / ABOUT} cannot be written ({error.strerror}).") from error
    return document


def _ranked(
    labelled: LabelledSet, gallery: Gallery, on_progress: OnProgress | None
) -> list[_Asked]:
    """The queries that can be asked and judged by text, each with its first hits."""
    able = [
        query
        for query in labelled.queries
        if query.instruction.strip()
        and (not query.reference or gallery.has_reference(query.reference))
        and any(path in gallery.paths for path in query.targets)
    ]
    teller = ProgressTeller(len(able), on_progress, stage=QUERIES)
    found = []
    for ranking in rank(able, gallery, COMPOSED, Stopwatch(), DEPTH):
        found.append(_Asked(ranking.query, ranking.hits))
        teller.count(1)
    return found


def _split(asked: Sequence[_Asked], request: FinetuneRequest) -> tuple[list[_Asked], list[_Asked]]:
    """Those to learn from and those to measure; the queries of one reference stay together."""
    references = sorted({each.query.reference for each in asked})
    if len(references) < 2:
        raise UsageError("Queries of one reference alone cannot be split: take a larger set.")
    random.Random(request.schedule.seed).shuffle(references)
    count = min(max(round(request.held_out * len(references)), 1), len(references) - 1)
    apart = set(references[:count])
    return (
        [each for each in asked if each.query.reference not in apart],
        [each for each in asked if each.query.reference in apart],
    )


def _examples(asked: Sequence[_Asked], gallery: Gallery, columns: Sequence[str]) -> list[Example]:
    wanted = {path for each in asked for path in each.query.targets}
    texts = {
        record.path: text_of(record, columns)
        for record in gallery.index.iterate()
        if record.path in wanted
    }
    found = []
    for each in asked:
        right = sorted({text for path in each.query.targets if (text := texts.get(path))})
        others = [text_of(hit, columns) for hit in each.hits if hit.path not in each.query.targets]
        wrong = [text for text in others if text and text not in right]
        if right and wrong:
            found.append(Example(each.query.instruction, right, wrong))
    return found


def _scored(asked: Sequence[_Asked], stage: SecondStage) -> list[_Asked]:
    """The same with what a second stage says of each hit."""
    return [
        replace(
            each,
            hits=stage.ordered(each.hits, each.query.instruction.strip(), None, _refuse_failure),
        )
        for each in asked
    ]


def _first_places(asked: Sequence[_Asked], weight: float = 0.0) -> Places:
    """`(n,)`: the place of the first target of each query, from 0; `DEPTH` where there is none."""
    places = []
    for each in asked:
        hits = sorted(before_rerank(each.hits), key=lambda hit: -fused(hit, weight))
        paths = [hit.path for hit in hits if hit.path != each.query.reference]
        ranks = (at for at, path in enumerate(paths) if path in each.query.targets)
        places.append(next(ranks, DEPTH))
    return np.array(places)


def _refuse_failure(outcome: Outcome) -> None:
    """Figures of a second stage that did not come are not its own."""
    if outcome.failure:
        raise UsageError(outcome.failure)


def _gains(
    found: Mapping[tuple[str, float], Places],
    asked: Sequence[_Asked],
    name: str,
    seed: int,
) -> dict[str, dict[str, float]]:
    """What the reranker adds to recall@1, and the ends of the interval, in shares."""
    numbers = {each.query.reference: at for at, each in enumerate(asked)}
    clusters = np.array([numbers[each.query.reference] for each in asked])
    first = {key: (places < 1).astype(float) for key, places in found.items()}
    ours = first[name, WEIGHTS[-1]]
    told = {}
    for label, key in (("alone", ("", 0.0)), ("words", ("words", WEIGHTS[-1]))):
        column = (ours - first[key])[:, None]
        low, high = bootstrap_intervals(column, seed=seed, clusters=clusters)[:, 0]
        told[label] = {"gain": float(column.mean()), "low": float(low), "high": float(high)}
    return told
