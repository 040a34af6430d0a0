"""A labelled set: composed queries with known targets, in one shape for every file format."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cir.errors import UsageError
from eval.errors import BenchWayOut
from eval.measures import MEASURES, Measure

if TYPE_CHECKING:
    from eval.sets.formats import Format


@dataclass(frozen=True)
class Protocol:
    """One way of counting.

    Attributes:
        measures: what is reported.
        keep_reference: whether the reference image stays in the ranking.
        image_id: the id by which annotations know an image, from its path in a folder; an id is
            its own. None where they name images by their paths.
        gallery_size: how many images are searched, where the annotations do not list them; None
            where they do, or where any folder will do.
        shared: what the queries of one cluster share, one of it in words; statistics take
            clusters for independent, not their queries.
    """

    measures: tuple[Measure, ...] = MEASURES
    keep_reference: bool = False
    image_id: Callable[[str], str] | None = None
    gallery_size: int | None = None
    shared: str = "reference image"

    def id_of(self, path: str) -> str:
        """The id by which annotations know the image at a path."""
        return path if self.image_id is None else self.image_id(path)


NO_GROUP = "(none)"
"""Name under which queries without a group are counted, in a set that has groups."""

_NAMED = 2


@dataclass(frozen=True)
class LabelledQuery:
    """One composed query and its targets.

    Attributes:
        id: unique within the set.
        reference: path of the reference image, relative to the gallery folder, POSIX form; in a
            set that is not `located` yet, the id by which the annotations know the image. "" for
            a query of text alone; no file format holds such, a set made in memory may.
        instruction: what should change; may be empty.
        targets: path of each target image and its grade, 1 or more; empty only in a set that is
            not `judged`.
        group: name of the query's group, "" when it has none.
        places: for each of these images, where the set names it (file and line), for messages.
        aspects: the groups of a query that has several; `groups` gives those or the one.
        counted: the one target that recall@k counts, where the protocol counts one alone.
        candidates: images among which a search of its own is made; empty for none.
        reworded: a second wording, of which the embedding is averaged with the first's.
        negatives: images that were judged to be no target: hard negatives, for example.
        wording_of: id of the query of which this is another wording, "" for none: asked by itself,
            unlike `reworded`.
        cluster: name of the queries that this one shares images with, where the annotations form
            such groups; else queries of one reference image share it.
        captions: what the annotations say, where a template may join it otherwise than
            `instruction` does; empty where that is it.
        fields: what else they say, by name, for templates.
    """

    id: str
    reference: str
    instruction: str
    targets: Mapping[str, int]
    group: str = ""
    places: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    aspects: tuple[str, ...] = ()
    counted: str | None = None
    candidates: tuple[str, ...] = ()
    reworded: str = ""
    negatives: tuple[str, ...] = ()
    wording_of: str = ""
    cluster: str = ""
    captions: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> tuple[str, ...]:
        """The query's groups; none when it has none."""
        return self.aspects or ((self.group,) if self.group else ())

    @property
    def first_targets(self) -> Iterable[str]:
        """The targets that recall@k counts."""
        return self.targets if self.counted is None else (self.counted,)


@dataclass(frozen=True)
class Source:
    """Where a labelled set was read from.

    Attributes:
        root: folder of its annotation files.
        format: how they are read, one of `eval.sets.catalogue.FORMATS`.
        options: how they were read beyond that, by name.
        images: folder of its images, where somebody has said.
    """

    root: Path
    format: str
    options: Mapping[str, bool]
    images: Path | None = None


@dataclass(frozen=True)
class LabelledSet:
    """Queries with targets over one gallery.

    Attributes:
        name: short name for people, usually that of the set's folder.
        split: which judgements were read, for example "test".
        queries: at least one, in file order, with unique ids.
        fingerprint: hex digest of the files' content.
        format: of the files; None for a set that was made otherwise.
        gallery: the images to search and the place that names each; None for a whole folder.
        notes: what a person should know of the annotations, a sentence each.
        source: its files, from which the pages read its queries again; None for a set made in
            memory, so also for one whose queries are not those of the files.
        template: name or text of the template of its instructions; "" for the plain ones.
        former_fingerprint: the digest that earlier versions gave these files, where it was another.
    """

    name: str
    split: str
    queries: tuple[LabelledQuery, ...]
    fingerprint: str
    format: "Format | None" = None
    gallery: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    source: Source | None = None
    template: str = ""
    former_fingerprint: str = ""

    def is_of(self, run: Mapping[str, Any]) -> bool:
        """Whether a run's document tells of these very files."""
        return run.get("set_fingerprint") in {
            self.fingerprint,
            self.former_fingerprint or self.fingerprint,
        }

    @property
    def protocol(self) -> Protocol:
        """How it is counted."""
        return Protocol() if self.format is None else self.format.protocol

    @property
    def judged(self) -> bool:
        """Whether targets are known; those of a benchmark's test split are kept by its authors."""
        return any(query.targets for query in self.queries)

    @property
    def has_candidates(self) -> bool:
        """Whether queries are also searched among candidates of their own."""
        return any(query.candidates for query in self.queries)

    @property
    def has_negatives(self) -> bool:
        """Whether images were judged to be no targets."""
        return any(query.negatives for query in self.queries)

    def wordings(self) -> dict[str, list[int]]:
        """Id of a query that has other wordings -> rows of it and of these."""
        rows: dict[str, list[int]] = {}
        for row, query in enumerate(self.queries):
            rows.setdefault(query.wording_of or query.id, []).append(row)
        return {name: found for name, found in rows.items() if len(found) > 1}

    def groups(self) -> dict[str, list[int]]:
        """Group -> rows of its queries, in order of appearance; none when no query has a group."""
        found: dict[str, list[int]] = {}
        for row, query in enumerate(self.queries):
            for group in query.groups or (NO_GROUP,):
                found.setdefault(group, []).append(row)
        return {} if list(found) == [NO_GROUP] else found

    def clusters(self) -> tuple[str, ...]:
        """For each query the name of its cluster, "" for one alone; none where all are alone."""
        names = [query.cluster or query.reference for query in self.queries]
        sizes = Counter(names)
        found = tuple(name if name and sizes[name] > 1 else "" for name in names)
        return found if any(found) else ()


def located(labelled: LabelledSet, paths: Iterable[str]) -> LabelledSet:
    """The set with each image's id replaced by its path in a folder; one without a file stays.

    Raises:
        UsageError: two files stand for one image of the set.
    """
    if labelled.protocol.image_id is None:
        return labelled
    by_id: dict[str, str] = {}
    doubled: dict[str, str] = {}
    for path in sorted(paths):
        image = labelled.protocol.id_of(path)
        if by_id.setdefault(image, path) != path:
            doubled[image] = path
    queries = tuple(_located(query, by_id, doubled) for query in labelled.queries)
    gallery = labelled.gallery
    if gallery is not None:
        _refuse_doubled(gallery, by_id, doubled)
        gallery = {by_id.get(image, image): place for image, place in gallery.items()}
    return replace(labelled, queries=queries, gallery=gallery)


def _located(
    query: LabelledQuery, by_id: Mapping[str, str], doubled: Mapping[str, str]
) -> LabelledQuery:
    _refuse_doubled((query.reference, *query.targets, *query.candidates), by_id, doubled)

    def path(image: str) -> str:
        return by_id.get(image, image)

    return replace(
        query,
        reference=path(query.reference),
        targets={path(image): grade for image, grade in query.targets.items()},
        places={path(image): place for image, place in query.places.items()},
        counted=None if query.counted is None else path(query.counted),
        candidates=tuple(map(path, query.candidates)),
        negatives=tuple(map(path, query.negatives)),
    )


def _refuse_doubled(
    images: Iterable[str], by_id: Mapping[str, str], doubled: Mapping[str, str]
) -> None:
    for image in images:
        if image in doubled:
            raise UsageError(
                f"Two files stand for the image {image!r}: {by_id[image]!r} and "
                f"{doubled[image]!r}. Leave one of them in the folder."
            )


@dataclass(frozen=True)
class Absent:
    """Images that a labelled set names and the gallery lacks, each with the place that names it.

    Attributes:
        references: path and place of each absent reference image.
        targets: path and place of each absent target.
        unreachable: ids of the queries without any target that a ranking could hold.
        others: path and place of each further image that a search should have found: of the split,
            among a query's candidates.
        unnamed: how many more images the protocol's gallery has, of which the set names none.
    """

    references: Mapping[str, str]
    targets: Mapping[str, str]
    unreachable: tuple[str, ...]
    others: Mapping[str, str] = field(default_factory=dict)
    unnamed: int = 0

    def __bool__(self) -> bool:
        return bool(
            self.references or self.targets or self.unreachable or self.others or self.unnamed
        )


def absent_from(
    labelled: LabelledSet,
    has_target: Callable[[str], bool],
    has_reference: Callable[[str], bool],
    *,
    keep_reference: bool = False,
    images: int | None = None,
) -> Absent:
    """What the set asks for and the gallery cannot give.

    Args:
        labelled: the set to check.
        has_target: whether a ranking over the gallery can hold this path.
        has_reference: whether the picture at this path can serve as a reference image.
        keep_reference: whether a ranking may hold the query's own reference image.
        images: how many the gallery holds; None where that does not matter.
    """
    references: dict[str, str] = {}
    targets: dict[str, str] = {}
    unreachable: list[str] = []
    others = {
        path: place for path, place in (labelled.gallery or {}).items() if not has_target(path)
    }
    for query in labelled.queries:
        if query.reference and not has_reference(query.reference):
            references.setdefault(query.reference, _place(query, query.reference))
        lost = {path for path in query.targets if not has_target(path)}
        for path in lost:
            targets.setdefault(path, _place(query, path))
        for path in query.candidates:
            if not has_target(path):
                others.setdefault(path, _place(query, path))
        removed = set() if keep_reference else {query.reference}
        if query.targets and not set(query.targets) - lost - removed:
            unreachable.append(query.id)
    for path in (*references, *targets):
        others.pop(path, None)
    size = labelled.protocol.gallery_size
    lacking = 0 if size is None or images is None else max(0, size - images)
    unnamed = max(0, lacking - len({*references, *targets, *others}))
    return Absent(references, targets, tuple(unreachable), others, unnamed)


def check_present(absent: Absent, gallery: str) -> None:
    """Refuse a set that does not fit its gallery.

    Args:
        absent: what `absent_from` found.
        gallery: the gallery in words, for the message.

    Raises:
        UsageError: something is absent; the message names some of it, with file and line.
    """
    if absent.references or absent.targets or absent.others:
        parts = [
            f"{len(found)} {what}{'s' if len(found) > 1 else ''} ({_some(found)})"
            for what, found in (
                ("reference image", absent.references),
                ("target", absent.targets),
                ("other image", absent.others),
            )
            if found
        ]
        raise UsageError(
            f"The labelled set names images that {gallery} does not hold: {' and '.join(parts)}.",
            BenchWayOut.ALLOW_MISSING,
        )
    if absent.unnamed:
        raise UsageError(
            f"{gallery[0].upper()}{gallery[1:]} is not the benchmark's: {absent.unnamed} of its "
            "images are not there, and figures of a smaller gallery are higher.",
            BenchWayOut.ALLOW_MISSING,
        )
    if absent.unreachable:
        some = ", ".join(absent.unreachable[:_NAMED])
        raise UsageError(
            "Queries with no target but their own reference image, which is removed from the "
            f"ranking: {len(absent.unreachable)} (for example {some}).",
            BenchWayOut.KEEP_REFERENCE,
        )


def _place(query: LabelledQuery, path: str) -> str:
    return query.places.get(path, f"query {query.id}")


def _some(found: Mapping[str, str]) -> str:
    named = [f"{path!r} in {place}" for path, place in list(found.items())[:_NAMED]]
    return "; ".join(named) + ("; ..." if len(found) > _NAMED else "")
