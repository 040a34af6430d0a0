"""What a second stage did in a run: figures with and without it, and what a query cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from cir.errors import RerankError
from cir.rerank.fusing import Outcome
from cir.rerank.registry import load_reranker
from cir.search import SearchOptions
from cir.settings import Settings

_IN_A_ROW = 3
_FIGURES = 3  # in a sentence; the document has all


class Reranking:
    """Adds up what the second stage of a run does; one that cannot be loaded is an error here.

    Raises:
        UsageError: there is none of this name. RerankError: it cannot be loaded.
    """

    def __init__(self, options: SearchOptions, settings: Settings) -> None:
        self._options = options
        self._outcomes: list[Outcome] = []
        self._failed_last = 0
        load_reranker(options.rerank, settings)

    def take(self, outcome: Outcome) -> None:
        """Count what was done for a query.

        Raises:
            RerankError: it failed for so many in a row that the figures would not be its own.
        """
        self._outcomes.append(outcome)
        self._failed_last = self._failed_last + 1 if outcome.failure else 0
        if self._failed_last == _IN_A_ROW:
            raise RerankError(
                f"The second stage failed for {_IN_A_ROW} queries in a row: {outcome.failure}"
            )

    def document(self, without: Mapping[str, float]) -> dict[str, Any]:
        """What `run.json` says: the name, figures of the composed query without it, its cost.

        `seconds_per_query` and `tokens_per_query` are means over all rankings that it was asked
        for, `failed` are those that came without it, `failure` says why the first of them did;
        `unread` counts hits without text.
        """
        options, done = self._options, self._outcomes
        failures = [each.failure for each in done if each.failure]
        return {
            "name": options.rerank,
            "columns": options.rerank_columns,
            "weight": options.rerank_weight,
            "depth": options.rerank_depth,
            "without": dict(without),
            "rankings": len(done),
            "failed": len(failures),
            "failure": failures[0] if failures else None,
            "unread": sum(each.unread for each in done),
            "seconds_per_query": _mean([each.seconds for each in done]),
            "tokens_per_query": _mean([each.tokens for each in done]),
        }


def rerank_notes(told: Mapping[str, Any], metrics: Mapping[str, float]) -> list[str]:
    """What `Reranking.document` says, in sentences beside the figures with the second stage."""
    figures = ", ".join(
        f"{name} {metrics[name]:.4f} with it, {before:.4f} without"
        for name, before in list(told["without"].items())[:_FIGURES]
    )
    cost = f"{1000 * told['seconds_per_query']:.1f} ms"
    if told["tokens_per_query"]:
        cost += f" and {told['tokens_per_query']:,.0f} tokens"
    notes = [f"Second stage {told['name']}: {figures or 'no figures'}; {cost} a query."]
    if told["failed"]:
        notes.append(
            f"The second stage failed for {told['failed']} of {told['rankings']} rankings, which "
            f"count without it: {told['failure']}"
        )
    if told["unread"]:
        notes.append(
            f"{told['unread']} of the first hits had no text for the second stage: they neither "
            "gained nor lost by it."
        )
    return notes


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 6) if values else 0.0
