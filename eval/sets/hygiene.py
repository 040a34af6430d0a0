"""What is doubtful about a labelled set, before anything is run on it."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cir.access import link_roots
from cir.errors import ImageError
from cir.images import content_hash, read_bytes
from cir.indexing.walk import walk_images
from cir.settings import Settings
from eval.sets.labelled import LabelledQuery, LabelledSet, located


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
    if gallery is not None:
        roots = link_roots(settings)
        paths = [found.path for found in walk_images(gallery, roots=roots)]
        labelled = located(labelled, paths)
        copies = _copies(gallery, paths, roots)
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
