"""A labelled set: composed queries with known targets, in one shape for every file format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cir.errors import UsageError

_NAMED = 2


@dataclass(frozen=True)
class LabelledQuery:
    """One composed query and its targets.

    Attributes:
        id: unique within the set.
        reference: path of the reference image, relative to the gallery folder, POSIX form.
        instruction: what should change; may be empty.
        targets: path of each target image and its grade, 1 or more; never empty.
        group: name of the query's group, "" when it has none.
        places: for each of these images, where the set names it (file and line), for messages.
    """

    id: str
    reference: str
    instruction: str
    targets: Mapping[str, int]
    group: str = ""
    places: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class LabelledSet:
    """Queries with targets over one gallery.

    Attributes:
        name: short name for people, usually that of the set's folder.
        split: which judgements were read, for example "test".
        queries: at least one, in file order, with unique ids.
        fingerprint: hex digest of the files' content.
    """

    name: str
    split: str
    queries: tuple[LabelledQuery, ...]
    fingerprint: str


@dataclass(frozen=True)
class Absent:
    """Images that a labelled set names and the gallery lacks, each with the place that names it.

    Attributes:
        references: path and place of each absent reference image.
        targets: path and place of each absent target.
        unreachable: ids of the queries without any target that a ranking could hold.
    """

    references: Mapping[str, str]
    targets: Mapping[str, str]
    unreachable: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.references or self.targets or self.unreachable)


def absent_from(
    labelled: LabelledSet,
    has_target: Callable[[str], bool],
    has_reference: Callable[[str], bool],
    *,
    keep_reference: bool = False,
) -> Absent:
    """What the set asks for and the gallery cannot give.

    Args:
        labelled: the set to check.
        has_target: whether a ranking over the gallery can hold this path.
        has_reference: whether the picture at this path can serve as a reference image.
        keep_reference: whether a ranking may hold the query's own reference image.
    """
    references: dict[str, str] = {}
    targets: dict[str, str] = {}
    unreachable: list[str] = []
    for query in labelled.queries:
        if not has_reference(query.reference):
            references.setdefault(query.reference, _place(query, query.reference))
        lost = {path for path in query.targets if not has_target(path)}
        for path in lost:
            targets.setdefault(path, _place(query, path))
        removed = set() if keep_reference else {query.reference}
        if not set(query.targets) - lost - removed:
            unreachable.append(query.id)
    return Absent(references, targets, tuple(unreachable))


def check_present(absent: Absent, gallery: str) -> None:
    """Refuse a set that does not fit its gallery.

    Args:
        absent: what `absent_from` found.
        gallery: the gallery in words, for the message.

    Raises:
        UsageError: something is absent; the message names some of it, with file and line.
    """
    if absent.references or absent.targets:
        parts = [
            f"{len(found)} {what}{'s' if len(found) > 1 else ''} ({_some(found)})"
            for what, found in (
                ("reference image", absent.references),
                ("target", absent.targets),
            )
            if found
        ]
        raise UsageError(
            f"The labelled set names images that {gallery} does not hold: {' and '.join(parts)}. "
            "Check the folder, mend the set, or count them as never found with --allow-missing."
        )
    if absent.unreachable:
        some = ", ".join(absent.unreachable[:_NAMED])
        raise UsageError(
            "Queries with no target but their own reference image, which is removed from the "
            f"ranking: {len(absent.unreachable)} (for example {some}). Mend the qrels, keep the "
            "reference with --keep-reference, or count them as never found with --allow-missing."
        )


def _place(query: LabelledQuery, path: str) -> str:
    return query.places.get(path, f"query {query.id}")


def _some(found: Mapping[str, str]) -> str:
    named = [f"{path!r} in {place}" for path, place in list(found.items())[:_NAMED]]
    return "; ".join(named) + ("; ..." if len(found) > _NAMED else "")
