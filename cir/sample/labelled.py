"""The labelled set of the sample catalogue, in BEIR's layout, with exact targets.

A query is a reference, and a change of one attribute or of a colour and one other. Its targets are
all designs that have the new values and agree with the reference in every other attribute that both
show: a skirt has no sleeves, so where a dress is to become a skirt, sleeves do not count. The
combinations of all targets are kept aside (`cir.sample.designs.kept_aside`).
"""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cir.sample.designs import Design, catalogue, kept_aside
from cir.sample.wishes import instruction

_SHARES: Mapping[tuple[str, ...], int] = {
    ("colour",): 60,
    ("pattern",): 50,
    ("sleeve",): 32,
    ("neckline",): 32,
    ("length",): 30,
    ("garment",): 36,
    ("colour", "pattern"): 24,
    ("colour", "sleeve"): 12,
    ("colour", "neckline"): 12,
    ("colour", "length"): 12,
}
"""How many queries change these attributes, at most."""

_ALWAYS_SHOWN = ("garment", "colour", "pattern")


@dataclass(frozen=True)
class SampleQuery:
    """One composed query of the labelled set.

    Attributes:
        id: its name in the set.
        group: what kind of wish it is; here what is changed: "colour", "type", "colour and sleeve".
        reference: the design whose picture is given.
        changes: attribute -> the value that is wanted instead, None where several will do.
        text: the instruction.
        targets: every design that fulfils the wish.
    """

    id: str
    group: str
    reference: Design
    changes: Mapping[str, str | None]
    text: str
    targets: tuple[Design, ...]


def fulfils(design: Design, reference: Design, changes: Mapping[str, str | None]) -> bool:
    """Whether a design is a target: the changed values, and all else that both show unchanged."""
    shown, before = design.attributes, reference.attributes
    if any(shown.get(name) != value for name, value in changes.items()):
        return False
    rest = (name for name in before if name in shown and name not in changes)
    return all(shown[name] == before[name] for name in rest)


@lru_cache(maxsize=1)
def sample_queries() -> tuple[SampleQuery, ...]:
    """The queries, in order of their groups; always the same."""
    queries: list[SampleQuery] = []
    for names, most in _SHARES.items():
        found = list(_candidates(names))
        count = min(most, len(found))
        for place in range(count):
            # Evenly over all candidates: every garment has its share, and nothing is drawn by lot.
            reference, changes, targets = found[place * len(found) // count]
            text = instruction(reference.garment, reference.colour, changes, place)
            name = f"q{len(queries) + 1:03d}"
            group = " and ".join(names).replace("garment", "type")
            queries.append(SampleQuery(name, group, reference, changes, text, targets))
    return tuple(queries)


def _candidates(
    names: tuple[str, ...],
) -> Iterator[tuple[Design, Mapping[str, str], tuple[Design, ...]]]:
    """Every reference and wish with at least one target, if all targets are kept aside."""
    fixed = tuple(name for name in _ALWAYS_SHOWN if name not in names)
    alike: dict[tuple[str, ...], list[Design]] = {}
    for design in catalogue():
        alike.setdefault(_values(design, fixed), []).append(design)
    for reference in catalogue():
        if not all(getattr(reference, name) for name in names):
            continue
        near = alike[_values(reference, fixed)]
        for values in sorted({_values(design, names) for design in near}):
            changes = dict(zip(names, values, strict=True))
            if any(value in ("", getattr(reference, name)) for name, value in changes.items()):
                continue
            targets = tuple(design for design in near if fulfils(design, reference, changes))
            if targets and all(map(kept_aside, targets)):
                yield reference, changes, targets


def _values(design: Design, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(getattr(design, name) for name in names)


def write_labelled(folder: Path, queries: Iterable[SampleQuery]) -> None:
    """Write `queries.jsonl` and `qrels/test.tsv` into a folder; image paths are file names."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    lines, judgements = [], ["query-id\tcorpus-id\tscore"]
    for query in queries:
        record = {
            "_id": query.id,
            "image": query.reference.file,
            "text": query.text,
            "group": query.group,
        }
        lines.append(json.dumps(record, ensure_ascii=False))
        judgements += [f"{query.id}\t{target.file}\t1" for target in query.targets]
    _write(folder / "queries.jsonl", lines)
    _write(folder / "qrels" / "test.tsv", judgements)


def _write(path: Path, lines: list[str]) -> None:
    """Write a file in one step: another process may be reading it."""
    partial = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    partial.replace(path)
