"""A run once more, by what its document says, and whether it comes out the same."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cir.encoders.protocol import Encoder
from cir.encoders.registry import is_known
from cir.errors import UsageError
from cir.progress import OnProgress
from cir.rerank.registry import names_folder
from cir.search import USUAL, bench_options
from cir.settings import Settings
from eval.evaluation.running import Request, run
from eval.measures import find_measure
from eval.runs.rankings import read_trec
from eval.runs.reading import Run, open_run
from eval.sets.catalogue import Place, load_place
from eval.sets.formats import find_format

_MADE_WITH = (
    *("recompose", "versions", "device", "precision", "encoder_fingerprint", "query_fingerprint"),
    *("set_fingerprint", "gallery"),
)


def repeat(
    before: Run,
    settings: Settings,
    *,
    encoder: str | Encoder | None = None,
    weights: str | None = None,
    tokenizer: str | None = None,
    rerank: str | None = None,
    out: Path | None = None,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Run a run's labelled set again, as it was run, and compare figures and rankings.

    No code and no folder of weights is taken from the run: an encoder of somebody's own is named
    again, and so are weights elsewhere than where they are found by themselves.

    Returns:
        `run`, the folder of the new one, and `repeats`, of the old; `same`, whether every figure
        and every ranking is; `figures`, of those that differ the place, and before and after;
        `one_side`, the places of those that the run "before" or "after" alone tells, which versions
        of one time may: they are none that differ;
        `rankings`, of each file the number of `queries` that are ordered otherwise, the `first` of
        them and whether the file is the same to the `bytes`; `conditions`, what the two were made
        with that differs.

    Raises:
        UsageError: the run does not say how it was made, its set has changed or is not there, or
            its encoder is not known here by its name; or another system found what it holds.
        RecomposeError: as `eval.evaluation.running.run`.
    """
    if before.folder is None:
        raise UsageError(f"{before.name} came without its rankings: repeat a run's folder.")
    if "imported" in before.document:
        raise UsageError(f"{before.name} holds what another system found: it runs elsewhere.")
    kept, gallery = before.part("settings"), before.part("gallery")
    form, root = find_format(kept.get("format")), kept.get("set")
    if form is None or not isinstance(root, str):
        raise UsageError(
            f"{before.name} does not say where its labelled set is: only runs of files repeat."
        )
    reading = {option.name: bool(kept.get(option.name)) for option in form.options}
    place = Place(before.set, str(kept["format"]), Path(root), given_name=before.set)
    labelled = load_place(place, kept.get("split"), reading, kept.get("template"))
    if not labelled.is_of(before.document):
        raise UsageError(f"The labelled set {before.set} has changed since the run.")
    if encoder is None and not is_known(before.encoder):
        raise UsageError(
            f"The encoder {before.encoder!r} is none of Recompose's: name it again, as for the run."
        )
    second = str(kept.get("rerank") or "")
    if second and names_folder(second) and second != rerank:
        raise UsageError(
            f"The second stage {second!r} is a folder of this machine, which is not taken from a "
            "run: name it again, as for the run."
        )
    is_index = gallery.get("kind") == "index"
    precision = before.document.get("precision")
    given = {each.name: kept[each.name] for each in bench_options() if each.name in kept}
    request = Request(
        gallery=None if is_index else Path(str(gallery.get("folder"))),
        index=str(gallery.get("name")) if is_index else None,
        encoder=encoder if encoder is not None or is_index else before.encoder,
        ablations=bool(kept.get("ablations")),
        keep_reference=kept.get("keep_reference"),
        allow_missing=bool(kept.get("allow_missing")),
        measures=[found for name in before.metrics if (found := find_measure(name))],
        depth=int(kept.get("depth") or Request.depth),
        out=out,
        weights=weights,
        tokenizer=tokenizer,
        precision=precision if isinstance(precision, str) and not is_index else "auto",
        options=replace(USUAL, **given),
    )
    document = run(labelled, request, settings, on_progress)
    return compared(before, open_run(Path(document["run"]), settings.runs_dir))


def compared(before: Run, after: Run) -> dict[str, Any]:
    """What differs between a run and its repetition, see `repeat`."""
    old, new = _figures(before), _figures(after)
    figures = {
        place: [old[place], new[place]]
        for place in old
        if place in new and old[place] != new[place]
    }
    folders = [each.folder or Path() for each in (before, after)]
    names = sorted({path.name for folder in folders for path in folder.glob("*.trec")})
    rankings = {name: _difference(*(folder / name for folder in folders)) for name in names}
    return {
        "run": str(after.folder),
        "repeats": str(before.folder),
        "same": not figures and not any(each["queries"] for each in rankings.values()),
        "figures": figures,
        "one_side": {
            "before": [place for place in old if place not in new],
            "after": [place for place in new if place not in old],
        },
        "rankings": rankings,
        "conditions": {
            key: [before.document.get(key), after.document.get(key)]
            for key in _MADE_WITH
            if before.document.get(key) != after.document.get(key)
        },
    }


def _figures(run: Run) -> dict[str, float]:
    """Every figure of a run by its place, for example "sum, recall@10"."""
    parts: list[tuple[str, Mapping[str, float]]] = [*run.modes.items()]
    parts += [(f"group {name}", each) for name, each in run.groups.items()]
    return {f"{name}, {key}": value for name, each in parts for key, value in each.items()}


def _difference(before: Path, after: Path) -> dict[str, Any]:
    old, new = (read_trec(path) if path.is_file() else {} for path in (before, after))
    other = [query for query in {**old, **new} if old.get(query) != new.get(query)]
    there = before.is_file() and after.is_file()
    return {
        "queries": len(other),
        "first": other[0] if other else None,
        "bytes": there and before.read_bytes() == after.read_bytes(),
    }
