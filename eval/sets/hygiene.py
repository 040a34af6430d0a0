"""What is doubtful about a labelled set, before anything is run on it."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cir.access import link_roots
from cir.errors import ImageError, UsageError
from cir.images import content_hash, read_bytes
from cir.indexing.metadata import find_table, read_table
from cir.indexing.walk import walk_images
from cir.settings import Settings
from eval.sets.labelled import LabelledQuery, LabelledSet, located

_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True)
class Doubt:
    """One kind of doubt.

    Attributes:
        kind: a short name for programs.
        words: what is doubtful and why it matters, without the number.
        found: the query ids (for images that stand twice, their paths) with what is doubtful there.
    """

    kind: str
    words: str
    found: Mapping[str, tuple[str, ...]]


def doubts(labelled: LabelledSet, gallery: Path | None, settings: Settings) -> list[Doubt]:
    """Look for what makes figures of a set misleading; only kinds that were found are there.

    Args:
        labelled: the set.
        gallery: folder of its images, all of which are read to find copies; None looks at the
            queries alone.
        settings: say which folders links may lead to.

    Raises:
        UsageError: two files of the gallery stand for one image of the set.
    """
    copies: Mapping[str, frozenset[str]] = {}
    texts: Mapping[str, set[str]] = {}
    if gallery is not None:
        roots = link_roots(settings)
        paths = [found.path for found in walk_images(gallery, roots=roots)]
        labelled = located(labelled, paths)
        copies = _copies(gallery, paths, roots)
        texts = _texts(gallery, {path for query in labelled.queries for path in query.targets})
    looked: dict[str, tuple[str, Mapping[str, tuple[str, ...]]]] = {
        "asked_twice": (
            "have the reference image and the instruction of another: they count twice",
            _asked_twice(labelled),
        ),
        "reference_is_target": (
            "have their own reference image among the targets",
            {q.id: (q.reference,) for q in labelled.queries if q.reference in q.targets},
        ),
        "target_copies_reference": (
            "have a target of the same bytes as the reference image: the image alone finds it",
            _of_queries(labelled, lambda q: {*q.targets} & {*copies.get(q.reference, ())}),
        ),
        "text_names_target": (
            "have an instruction that is a text of a target's metadata, or names its file: the "
            "text alone finds it",
            _of_queries(labelled, lambda q: {t for t in q.targets if _names(q, t, texts)}),
        ),
        "copy_not_judged": (
            "have a target of which the gallery holds a copy that is no target: finding that one "
            "counts as wrong",
            _of_queries(
                labelled,
                lambda q: (
                    {c for t in q.targets for c in copies.get(t, ())} - {*q.targets, q.reference}
                ),
            ),
        ),
        "negative_copies_target": (
            "have an image judged to be no target of the same bytes as a target",
            _of_queries(
                labelled,
                lambda q: {*q.negatives} & {c for t in q.targets for c in copies.get(t, ())},
            ),
        ),
        "images_twice": (
            "images stand in the gallery twice or more",
            {min(group): tuple(sorted(group)) for group in copies.values()},
        ),
    }
    return [Doubt(kind, words, found) for kind, (words, found) in looked.items() if found]


def _of_queries(
    labelled: LabelledSet, look: Callable[[LabelledQuery], set[str]]
) -> dict[str, tuple[str, ...]]:
    found = {query.id: tuple(sorted(look(query))) for query in labelled.queries}
    return {query: images for query, images in found.items() if images}


def _asked_twice(labelled: LabelledSet) -> dict[str, tuple[str, ...]]:
    asked: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for query in labelled.queries:
        words = " ".join(query.instruction.casefold().split())
        # Wordings of one query, such as that in capitals, are meant to be the same.
        asked[query.reference, words].setdefault(query.wording_of or query.id, query.id)
    ids = [[*of_families.values()] for of_families in asked.values()]
    return {first: tuple(others) for first, *others in ids if others}


def _names(query: LabelledQuery, target: str, texts: Mapping[str, set[str]]) -> bool:
    """Whether the instruction copies what is written of the target."""
    said = " ".join(query.instruction.casefold().split())
    if said and said in texts.get(target, ()):
        return True
    of_file = set(_WORD.findall(PurePosixPath(target).stem.casefold()))
    return len(of_file) > 1 and of_file <= set(_WORD.findall(said))


def _texts(gallery: Path, paths: Collection[str]) -> dict[str, set[str]]:
    """Path -> the texts of its row in the gallery's `metadata.csv`; none where there is no such."""
    found = find_table(gallery, None)
    try:
        table = None if found is None else read_table(found, paths)
    except UsageError:
        table = None  # it is for other images; indexing the folder says what is wrong with it
    rows = {} if table is None else {path: table.lookup(path) or {} for path in paths}
    return {
        path: {" ".join(cell.casefold().split()) for cell in row.values() if isinstance(cell, str)}
        for path, row in rows.items()
    }


def _copies(
    gallery: Path, paths: Sequence[str], roots: Sequence[Path]
) -> dict[str, frozenset[str]]:
    """Path -> the paths of the images of the same bytes, itself among them; none for most."""
    same: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        try:
            same[content_hash(read_bytes(gallery / path, roots))].append(path)
        except ImageError:
            continue  # a run of the set says which images cannot be read
    groups = [frozenset(group) for group in same.values() if len(group) > 1]
    return {path: group for group in groups for path in group}
