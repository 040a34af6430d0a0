"""Labelled sets by name: how each is read, and where a person keeps theirs."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cir.access import refuse_change
from cir.errors import RecomposeError, UsageError
from cir.indexing.walk import walk_images
from cir.progress import OnProgress
from cir.sample.building import (
    draw_hard_sample,
    draw_sample,
    hard_labelled_set,
    sample_labelled_set,
)
from cir.settings import Settings
from eval.errors import BenchWayOut
from eval.sets.circus import with_circus_labels
from eval.sets.formats import find_format, format_named, format_names, formats
from eval.sets.labelled import LabelledSet, Source, absent_from, located
from eval.sets.own import kept_sets
from eval.sets.templates import worded

NATIVE_NAME = "native"
SAMPLE, HARD_SAMPLE = SAMPLES = ("sample", "sample-hard")
"""The sample catalogue's labelled sets: a gentle one, and a hard one over the same drawings."""

_FILE = "registered_sets.json"


def load_set(
    format_name: str,
    root: Path,
    split: str | None = None,
    options: Mapping[str, bool] | None = None,
) -> LabelledSet:
    """The labelled set of a format below a root.

    Args:
        format_name: one of `eval.sets.formats.format_names`.
        root: folder of the annotation files.
        split: which judgements; None takes the format's usual one.
        options: by name, those of the format that are on; see `eval.sets.formats.Option`.

    Raises:
        UsageError: something of it is missing or malformed, or an option is not for it.
    """
    form = format_named(format_name)
    chosen = {name for name, on in (options or {}).items() if on}
    foreign = sorted(chosen - {option.name for option in form.options})
    if foreign:
        knowing = [
            each.title for each in formats() if chosen & {option.name for option in each.options}
        ]
        raise UsageError(
            f"{format_name} cannot be read with {' and '.join(foreign)}: only "
            f"{' and '.join(knowing) or 'no format'} can."
        )
    return with_circus_labels(
        form.load(format_name, root, split, dict.fromkeys(chosen, True)), root
    )


def option_settings(options: Mapping[str, bool] | None) -> dict[str, bool]:
    """Every option of every format, on or off, as a run keeps them."""
    known = [option.name for each in formats() for option in each.options]
    return {name: bool((options or {}).get(name)) for name in known}


@dataclass(frozen=True)
class Place:
    """Where a labelled set is.

    Attributes:
        name: what it is called.
        format: name of its format.
        root: folder of its annotation files.
        images: folder of its images, if somebody has said.
        given_name: what a run calls it, where somebody has chosen a name; else the reader does.
    """

    name: str
    format: str
    root: Path
    images: Path | None = None
    given_name: str | None = None


def load_place(
    place: Place,
    split: str | None = None,
    options: Mapping[str, bool] | None = None,
    template: str | None = None,
) -> LabelledSet:
    """The labelled set of a place, which knows where it is from; errors as in `load_set`.

    `template` says its instructions otherwise, see `eval.sets.templates.worded`.
    """
    labelled = load_set(place.format, place.root, split, options)
    source = Source(place.root, place.format, dict(options or {}), place.images)
    named = replace(labelled, name=place.given_name or labelled.name, source=source)
    return worded(named, template)


def images_of(place: Place) -> Path | None:
    """The folder of a set's images, None where nobody has said.

    Raises:
        UsageError: it is gone.
    """
    if place.images is not None and not place.images.is_dir():
        raise UsageError(
            f"The images of {place.name} were in {place.images}, which is gone or has moved.",
            BenchWayOut.REGISTER_AGAIN,
        )
    return place.images


def sample_place(name: str, settings: Settings, on_progress: OnProgress | None = None) -> Place:
    """One of the sample's labelled sets, `SAMPLE` or `HARD_SAMPLE`, drawn where it is not yet.

    Raises:
        ReadOnlyError: this Recompose changes nothing.
        RecomposeError: the sample cannot be drawn or written.
    """
    draw = draw_sample if name == SAMPLE else draw_hard_sample
    draw(settings, on_progress)
    return _sample_places(settings)[name]


def _sample_places(settings: Settings) -> dict[str, Place]:
    folders = {SAMPLE: sample_labelled_set(settings), HARD_SAMPLE: hard_labelled_set(settings)}
    return {name: Place(name, NATIVE_NAME, *both, name) for name, both in folders.items()}


def place_of(
    name: str, root: Path | None, settings: Settings, on_progress: OnProgress | None = None
) -> Place:
    """The set that somebody names.

    A registered one, a format with its root, a native folder, one of one's own, or one of the
    sample's, which is drawn where it is not there yet; `on_progress` is told of that.

    Raises:
        ReadOnlyError, RecomposeError: as in `sample_place`.
        UsageError: it needs a root that was not named, or a root comes with an unknown format.
    """
    if root is not None:
        format_named(name)
        return Place(name, name, root)
    registered = registered_sets(settings.data_dir)
    if name in registered:
        return registered[name]
    if not Path(name).is_dir():
        own = kept_sets(settings.data_dir)
        if name in own:
            return Place(name, NATIVE_NAME, own[name])
        if name in SAMPLES:
            return sample_place(name, settings, on_progress)
    if find_format(name):
        raise UsageError(f"Where {name} lies is not known.", BenchWayOut.NAME_THE_ROOT)
    folder = Path(name)
    return Place(folder.resolve().name or "set", NATIVE_NAME, folder)


def registered_sets(data_dir: Path) -> dict[str, Place]:
    """The sets that were registered, by name.

    Raises:
        RecomposeError: the file that lists them is damaged.
    """
    path = data_dir / _FILE
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {name: _place(name, entry) for name, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise RecomposeError(
            f"{path}, the list of registered sets, cannot be read ({error}). Mend or remove it."
        ) from error


def _place(name: str, entry: Mapping[str, Any]) -> Place:
    if not find_format(entry["format"]):
        raise ValueError(f"{name}: unknown format {entry['format']!r}")
    images = entry["images"]
    return Place(name, entry["format"], Path(entry["root"]), images and Path(images), name)


def register(place: Place, settings: Settings) -> None:
    """Remember where a set and its images are; one of the same name is replaced.

    Raises:
        ReadOnlyError: this Recompose changes nothing.
        UsageError: the format is unknown, a folder is not there, or the annotations cannot be read.
    """
    refuse_change(settings.read_only)
    format_named(place.format)
    if place.images is not None and not place.images.is_dir():
        raise UsageError(f"There is no folder {place.images}: name the one that holds the images.")
    load_set(place.format, place.root)
    _write({**registered_sets(settings.data_dir), place.name: place}, settings.data_dir)


def forget(name: str, settings: Settings) -> None:
    """Take a set off the list; its files stay.

    Raises:
        ReadOnlyError: this Recompose changes nothing.
        UsageError: no set of this name is registered.
    """
    refuse_change(settings.read_only)
    places = registered_sets(settings.data_dir)
    if places.pop(name, None) is None:
        raise UsageError(f"No labelled set {name!r} is registered.")
    _write(places, settings.data_dir)


def _write(places: Mapping[str, Place], data_dir: Path) -> None:
    entries = {
        name: {
            "format": place.format,
            "root": str(place.root.resolve()),
            "images": place.images and str(place.images.resolve()),
        }
        for name, place in places.items()
    }
    partial = data_dir / f".{_FILE}-{secrets.token_hex(6)}"
    try:
        partial.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
        os.replace(partial, data_dir / _FILE)  # noqa: PTH105 - one step, whole or not at all
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RecomposeError(
            f"The list of sets cannot be written to {data_dir} ({error.strerror or error})."
        ) from error


def overview(settings: Settings, root: Path | None = None) -> list[dict[str, Any]]:
    """Every set that has a name, and what each lacks.

    Args:
        settings: say where registered and uploaded sets are.
        root: where to look for published sets instead of the places that were registered.

    Returns:
        For each `name`, `format`, `root`, `images`, `split`, `queries`, `gallery` (images to
        search; None for a whole folder) and `lacks`, sentences; None where something is not known,
        all of it for a published set that was not registered.
    """
    published = [name for name in format_names() if name != NATIVE_NAME]
    if root is not None:
        return [_state(Place(name, name, root)) for name in published]
    places = dict(registered_sets(settings.data_dir))
    for name, folder in kept_sets(settings.data_dir).items():
        places.setdefault(name, Place(name, NATIVE_NAME, folder))
    samples = _sample_places(settings)
    for name, place in samples.items():
        places.setdefault(name, place)
    states = [
        _undrawn(place) if place is samples.get(name) and not place.root.is_dir() else _state(place)
        for name, place in places.items()
    ]
    return states + [_unregistered(name) for name in published if name not in places]


def _unregistered(name: str) -> dict[str, Any]:
    empty = dict.fromkeys(("root", "images", "split", "queries", "gallery"))
    return {"name": name, "format": name, **empty, "lacks": ["not registered"]}


def _undrawn(place: Place) -> dict[str, Any]:
    lacks = ["not drawn yet: its first run draws it"]
    return {**_unregistered(place.name), "format": place.format, "lacks": lacks}


def _state(place: Place) -> dict[str, Any]:
    state: dict[str, Any] = {
        "name": place.name,
        "format": place.format,
        "root": str(place.root),
        "images": None if place.images is None else str(place.images),
        **dict.fromkeys(("split", "queries", "gallery")),
    }
    try:
        labelled = load_set(place.format, place.root)
    except UsageError as error:
        return {**state, "lacks": [str(error)]}
    gallery = None if labelled.gallery is None else len(labelled.gallery)
    state |= {"split": labelled.split, "queries": len(labelled.queries), "gallery": gallery}
    return {**state, "lacks": _lacking_images(labelled, place.images)}


def _lacking_images(labelled: LabelledSet, images: Path | None) -> list[str]:
    if images is None:
        return ["the folder of its images was not named"]
    if not images.is_dir():
        return [f"the folder of its images, {images}, is gone or has moved: register it again"]
    paths = {found.path for found in walk_images(images)}
    try:
        placed = located(labelled, paths)
    except UsageError as error:
        return [str(error)]
    absent = absent_from(
        placed, paths.__contains__, paths.__contains__, keep_reference=True, images=len(paths)
    )
    lost = {**absent.references, **absent.targets, **absent.others}
    if not lost and absent.unnamed:
        return [f"{absent.unnamed} of its images are not in {images}"]
    if not lost:
        return []
    return [f"{len(lost)} of its images, for example {next(iter(lost))!r}, are not in {images}"]
