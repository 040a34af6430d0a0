"""Labelled sets by name: how each is read, and where a person keeps theirs."""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cir.access import refuse_change
from cir.errors import RecomposeError, UsageError
from cir.indexing.walk import walk_images
from cir.settings import Settings
from eval.sets.formats import fashioniq
from eval.sets.formats.circo import load_circo
from eval.sets.formats.cirr import load_cirr
from eval.sets.formats.native import load_native
from eval.sets.labelled import (
    CIRCO,
    CIRR,
    FASHIONIQ,
    NATIVE,
    LabelledSet,
    Protocol,
    Source,
    absent_from,
    located,
)
from eval.sets.own import kept_sets

NATIVE_NAME = "native"
_FILE = "registered_sets.json"


@dataclass(frozen=True)
class Reading:
    """How a set is read beyond its split; both concern FashionIQ alone.

    Attributes:
        small_gallery: search references and targets alone, not the whole split.
        both_orders: average both orders of the two captions.
    """

    small_gallery: bool = False
    both_orders: bool = False


_Loader = Callable[[Path, str | None, Reading], LabelledSet]


def _fashioniq(category: str) -> _Loader:
    def load(root: Path, split: str | None, reading: Reading) -> LabelledSet:
        return fashioniq.load_fashioniq(root, category, split, **asdict(reading))

    return load


_FORMATS: dict[str, tuple[Protocol, _Loader]] = {
    NATIVE_NAME: (NATIVE, lambda root, split, _: load_native(root, split)),
    **{
        f"{fashioniq.FAMILY}-{category}": (FASHIONIQ, _fashioniq(category))
        for category in fashioniq.CATEGORIES
    },
    "cirr": (CIRR, lambda root, split, _: load_cirr(root, split)),
    "circo": (CIRCO, lambda root, split, _: load_circo(root, split)),
}

FORMATS = tuple(_FORMATS)
"""Names of the formats; each but "native" is also the name of a published set."""


def protocol_of(format_name: str) -> Protocol:
    """How sets of a format are counted."""
    return _FORMATS[format_name][0]


def load_set(
    format_name: str, root: Path, split: str | None = None, reading: Reading | None = None
) -> LabelledSet:
    """The labelled set of a format below a root.

    Raises:
        UsageError: something of it is missing or malformed, or an option is not for it.
    """
    protocol, load = _FORMATS[format_name]
    reading = reading or Reading()
    if reading != Reading() and protocol is not FASHIONIQ:
        raise UsageError(
            f"{format_name} has one gallery and one instruction a query: only "
            "FashionIQ knows --small-gallery and --both-orders."
        )
    return load(root, split, reading)


@dataclass(frozen=True)
class Place:
    """Where a labelled set is.

    Attributes:
        name: what it is called.
        format: one of `FORMATS`.
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
    place: Place, split: str | None = None, reading: Reading | None = None
) -> LabelledSet:
    """The labelled set of a place, which knows where it is from; errors as in `load_set`."""
    labelled = load_set(place.format, place.root, split, reading)
    source = Source(place.root, place.format, asdict(reading or Reading()), place.images)
    return replace(labelled, name=place.given_name or labelled.name, source=source)


def images_of(place: Place) -> Path | None:
    """The folder of a set's images, None where nobody has said.

    Raises:
        UsageError: it is gone.
    """
    if place.images is not None and not place.images.is_dir():
        raise UsageError(
            f"The images of {place.name} were in {place.images}, which is gone or has moved: "
            "register the set again, or name the folder with --gallery."
        )
    return place.images


def place_of(name: str, root: Path | None, settings: Settings) -> Place:
    """The set that somebody names: a registered one, a format with its root, or a native folder.

    Raises:
        UsageError: it needs a root that was not named.
    """
    if root is not None:
        if name not in _FORMATS:
            raise UsageError(f"--set {name}: with --root, write one of {', '.join(FORMATS)}.")
        return Place(name, name, root)
    registered = registered_sets(settings.data_dir)
    if name in registered:
        return registered[name]
    if name in _FORMATS:
        raise UsageError(
            f"--set {name}: name the folder of its annotation files with --root, or once and for "
            f"all: python -m eval register {name} --root FOLDER --images FOLDER."
        )
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
    if entry["format"] not in _FORMATS:
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
    if place.format not in _FORMATS:
        raise UsageError(f"--format {place.format}: write one of {', '.join(FORMATS)}.")
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
        search; None for a whole folder) and `lacks`, sentences; None where something is not known.
    """
    published = [name for name in FORMATS if name != NATIVE_NAME]
    if root is not None:
        return [_state(Place(name, name, root)) for name in published]
    places = dict(registered_sets(settings.data_dir))
    for name, folder in kept_sets(settings.data_dir).items():
        places.setdefault(name, Place(name, NATIVE_NAME, folder))
    states = [_state(place) for place in places.values()]
    return states + [_unregistered(name) for name in published if name not in places]


def _unregistered(name: str) -> dict[str, Any]:
    lacks = [f"not registered: python -m eval register {name} --root FOLDER --images FOLDER"]
    empty = dict.fromkeys(("root", "images", "split", "queries", "gallery"))
    return {"name": name, "format": name, **empty, "lacks": lacks}


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
    absent = absent_from(placed, paths.__contains__, paths.__contains__, keep_reference=True)
    lost = {**absent.references, **absent.targets, **absent.others}
    if not lost:
        return []
    return [f"{len(lost)} of its images, for example {next(iter(lost))!r}, are not in {images}"]
