"""The report behind a model card, as one document: every figure is that of a run."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cir.encoders.protocol import Encoder
from cir.encoders.registry import choose, load_encoder
from cir.errors import UsageError
from cir.images import open_image
from cir.settings import Settings
from cir.store import gallery_store
from cir.store.collection import MAX_LIMIT
from eval.evaluation.running import Request, run
from eval.measures import MEASURES
from eval.model_card.attributes import (
    attributes_of,
    caption_recall,
    captions,
    mistaken_colours,
    same_type_rate,
)
from eval.model_card.robustness import robustness
from eval.model_card.sheet import contact_sheet
from eval.runs.queries import query_rows, ranked_paths
from eval.runs.ranks import COMPOSED
from eval.runs.reading import Run, open_run, rank_table
from eval.sets.labelled import NO_GROUP, LabelledQuery, LabelledSet

WORST = 50
DEEPEST = MAX_LIMIT - 1
"""Length of the rankings that the worst queries and MRR are told by: all of most galleries."""


@dataclass(frozen=True)
class Asking:
    """Asks labelled sets in one gallery; the runs lie in a folder that is taken away at the end.

    Attributes:
        gallery: folder of the images.
        encoder: what embeds them and the queries, where no other is named.
        settings: where galleries are kept.
        runs: folder of the runs.
        allow_missing: whether images that the gallery lacks count as never found.
    """

    gallery: Path
    encoder: Encoder
    settings: Settings
    runs: Path
    allow_missing: bool = False

    def __call__(self, labelled: LabelledSet, **options: Any) -> Run:
        """The run of a set; `options` are fields of a `Request`."""
        request = Request(
            gallery=self.gallery,
            encoder=self.encoder,
            allow_missing=self.allow_missing,
            out=self.runs / str(len(list(self.runs.iterdir()))),
        )
        document = run(labelled, replace(request, **options), self.settings)
        return open_run(Path(document["run"]), self.runs)


def report(
    labelled: LabelledSet,
    gallery: Path,
    encoder: str,
    settings: Settings,
    *,
    table: Path | None = None,
    yardstick: bool = False,
    sheet: Path | None = None,
    shown: Sequence[str] = (),
    allow_missing: bool = False,
) -> dict[str, Any]:
    """Figures of an encoder on a labelled set, from runs of which nothing stays but the gallery.

    Args:
        labelled: the queries. gallery: folder of its images.
        encoder: name of the encoder.
        settings: where galleries are kept.
        table: metadata of the images: adds captions, same types and mistaken colours.
        yardstick: whether to run what needs no training beside it.
        sheet: where to write queries with their first results as a picture.
        shown: ids of the queries in the picture; none are the worst.
        allow_missing: whether images that the gallery lacks count as never found.

    Returns:
        `modes` (mode -> group -> measure -> value), `robustness`, `speed`, `worst` (instruction and
        rank of the first target, None for one that was not found), and with a table `captions`,
        `same_type_rate`, `colours`.

    Raises:
        RecomposeError: a folder, table, set or encoder that cannot be used.
    """
    queries = {query.id: query for query in labelled.queries}
    for each in shown:
        if each not in queries:
            raise UsageError(f"The labelled set {labelled.name} has no query {each!r}.")
    loaded = load_encoder(choose(settings, encoder))
    with TemporaryDirectory() as folder:
        ask = Asking(gallery, loaded, settings, Path(folder), allow_missing)
        plain = ask(labelled, ablations=True, depth=DEEPEST)
        modes = figures_by_group(plain)
        if yardstick:
            from eval.model_card.yardstick import YardstickEncoder

            beside = ask(labelled, encoder=YardstickEncoder(), depth=DEEPEST)
            modes["yardstick"] = figures_by_group(beside)[COMPOSED]
        index = gallery_store(settings).open(plain.part("gallery")["name"], kind="gallery")
        paths = sorted(record.path for record in index.iterate())
        document: dict[str, Any] = {
            "set": labelled.name,
            "encoder": encoder,
            "parameters": loaded.spec.parameters,
            "modes": modes,
            "robustness": robustness(labelled, plain, ask),
            "speed": speed(loaded, [gallery / path for path in paths], labelled),
        }
        if table is not None:
            attributes = attributes_of(table, paths)
            named = captions(attributes)
            first = {
                id_: ranked[0] for id_, ranked in ranked_paths(plain, COMPOSED, queries, 1).items()
            }
            document |= {
                "captions": caption_recall(ask(named)) if named else {},
                "same_type_rate": same_type_rate(index, attributes),
                "colours": mistaken_colours(labelled, first, attributes),
            }
        document["worst"] = worst_queries(plain, queries)
        if sheet is not None:
            drawn = shown or [each["query"] for each in document["worst"]]
            _write_sheet(plain, gallery, [queries[each] for each in drawn], sheet)
    return document


def figures_by_group(plain: Run) -> dict[str, dict[str, Mapping[str, float]]]:
    """Mode -> group -> measure -> value, for all queries ("all") and for each named group."""
    table = rank_table(plain)
    if table is None:
        raise UsageError(f"The labelled set {plain.set} names no targets: there are no figures.")
    names = [name for name in sorted(table.group_names) if name != NO_GROUP]
    parts = {"all": table} | {name: table.of_group(name) for name in names}
    figures = {name: part.figures() for name, part in parts.items()}
    return {
        mode: {
            name: {str(each): round(figures[name][mode][str(each)], 4) for each in MEASURES}
            for name in parts
        }
        for mode in table.ranks
    }


def worst_queries(plain: Run, queries: Mapping[str, LabelledQuery]) -> list[dict[str, Any]]:
    """The queries whose first target stands deepest or was not found, the deepest first."""
    table = rank_table(plain)
    rows = query_rows(table, queries)[:WORST] if table else []
    return [
        {
            "query": row.id,
            "group": queries[row.id].group,
            "instruction": row.instruction,
            "rank": row.rank,
        }
        for row in rows
    ]


def _write_sheet(plain: Run, gallery: Path, queries: Sequence[LabelledQuery], file: Path) -> None:
    picture = contact_sheet(gallery, queries, plain)
    try:
        picture.save(file, quality=85)
    except (OSError, ValueError) as error:  # a folder that is not there, an unknown ending
        raise UsageError(f"The picture {file} cannot be written: {error}.") from error


ROUNDS, BATCH = 24, 32


def speed(encoder: Encoder, files: Sequence[Path], labelled: LabelledSet) -> Mapping[str, float]:
    """Medians: a composed query on an image not seen before, a new instruction on the same image,
    and an image in a batch; images are open already."""
    some = [open_image(file) for file in files[:BATCH]]
    texts = [query.instruction for query in labelled.queries]
    encoder.encode_images(some[:1])
    shifted = [image.rotate(180) for image in some]  # not among the remembered ones
    return {
        "ms a composed query": _median(
            lambda turn: encoder.encode_composed(
                [shifted[turn % len(shifted)]], [texts[turn % len(texts)]]
            )
        ),
        "ms a new instruction": _median(
            lambda turn: encoder.encode_composed([some[0]], [texts[turn % len(texts)]])
        ),
        "ms an image in a batch": round(
            _median(lambda turn: encoder.encode_images(some), rounds=5) / len(some), 2
        ),
    }


def _median(work: Callable[[int], object], rounds: int = ROUNDS) -> float:
    seconds = []
    for turn in range(rounds):
        started = time.perf_counter()
        work(turn)
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds) * 1000, 2)
