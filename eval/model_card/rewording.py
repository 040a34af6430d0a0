"""The same wish typed otherwise: with a typo, politely, in capitals, with other words."""

import re
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cir.errors import RecomposeError, UsageError
from cir.training.language.slips import slip
from eval.errors import BenchWayOut
from eval.sets.catalogue import NATIVE_NAME
from eval.sets.formats.native import read_records, write_native
from eval.sets.labelled import LabelledSet

SEED = 11
"""Of the typos: the same seed gives the same ones."""

# Other ways to say the same, none of them a sentence that any training of the project uses.
_OTHERWISE: Sequence[tuple[str, str]] = (
    (r"^in (.+)$", r"could you get me that, only coloured \1?"),
    (r"^make it (.+)$", r"i fancy it in \1"),
    (r"^the same but in (.+)$", r"an identical item whose colour is \1"),
    (r"^(.+?) ([\w ]+) of this style$", r"stick with this look, but \1 \2"),
    (r"^(.+) in the same colour$", r"keep the colour, swap the item for \1"),
    (r"^(.+) of this colour$", r"got \1 in precisely this hue?"),
    (r"^the same for (.+)$", r"what would \1 wear that looks like this?"),
    (r"^(.+?)'s version of this$", r"this, though cut for a \1's wardrobe"),
    (r"^like this but (.+)$", r"similar, though i want \1"),
    (r"^a (.+) one$", r"could you bring me something \1?"),
    (r"^(.+)$", r"i would be happier if it were like so: \1"),
)
_SYNONYMS: Mapping[str, str] = {
    "navy blue": "navy", "tshirts": "tees", "grey": "gray", "sports shoes": "trainers",
    "handbags": "purses", "maroon": "wine red", "beige": "sand-coloured", "purple": "violet",
    "checked": "chequered", "printed": "with a graphic on it", "solid": "plain", "colour": "color",
    "striped": "stripy", "trousers": "pants", "sweaters": "jumpers",
}  # fmt: skip


def paraphrase(text: str) -> str:
    """The instruction in another sentence."""
    for pattern, other in _OTHERWISE:
        if re.search(pattern, text):
            return re.sub(pattern, other, text)
    return text


def with_synonyms(text: str) -> str:
    """The instruction with other words for colours, garments and patterns, where it has them."""
    for word, other in _SYNONYMS.items():
        text = re.sub(rf"\b{word}\b", other, text)
    return text


@dataclass(frozen=True)
class Wording:
    """A way of typing a wish: its name for people, and what it makes of an instruction."""

    title: str
    change: Callable[[str, np.random.Generator], str]


WORDINGS: Mapping[str, Wording] = {
    "typo": Wording("one typo", slip),
    "typos": Wording("two typos", lambda text, random: slip(slip(text, random), random)),
    "capitals": Wording("capitals", lambda text, random: text.upper()),
    "polite": Wording("polite", lambda text, random: f"Hello, {text}, please. Thank you!"),
    "synonyms": Wording("synonyms", lambda text, random: with_synonyms(text)),
    "paraphrase": Wording("paraphrased", lambda text, random: paraphrase(text)),
}
"""Every way of typing by its name."""

USUAL_WORDINGS = ("typo", "polite", "capitals", "synonyms")


def reword(
    labelled: LabelledSet, out: Path, kinds: Sequence[str] = USUAL_WORDINGS
) -> dict[str, int]:
    """Write a set with further wordings of its own instructions beside them.

    The new queries have the images and judgements of the old ones and say in `wording_of` whose
    wording they are; a run of the set then tells mean, worst and spread over the wordings. A
    wording that changes nothing is left out: a typo in words of three letters, synonyms where no
    word has one here.

    Args:
        labelled: a native set, as its files are.
        out: folder of the new set; none of this name may be there.
        kinds: of `WORDINGS`.

    Returns:
        Kind -> number of queries that were added.

    Raises:
        UsageError: the set is of another format, there is no such kind, or the folder is there.
        RecomposeError: the disk refuses.
    """
    source = labelled.source
    if source is None or source.format != NATIVE_NAME:
        raise UsageError(f"{labelled.name} is no native set: only these are reworded.")
    other = next((kind for kind in kinds if kind not in WORDINGS), None)
    if other is not None:
        raise UsageError(f"There is no wording {other!r}: name some of {', '.join(WORDINGS)}.")
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} is there already.", BenchWayOut.OTHER_FOLDER)
    records = {record["_id"]: record for record in read_records(source.root)}
    taken, counts = set(records), dict.fromkeys(kinds, 0)
    random = {kind: np.random.default_rng(SEED) for kind in kinds}
    written: list[dict[str, Any]] = []
    judged: list[tuple[str, str, int]] = []
    for query in labelled.queries:
        scores = {**query.targets, **dict.fromkeys(query.negatives, 0)}
        reworded = {
            kind: WORDINGS[kind].change(query.instruction, random[kind])
            for kind in kinds
            if not query.wording_of and query.instruction.strip()
        }
        ways = {query.id: dict(records[query.id])}
        for kind, text in reworded.items():
            name = f"{query.id}-{kind}"
            if text == query.instruction or name in taken:
                continue
            ways[name] = {**records[query.id], "_id": name, "text": text, "wording_of": query.id}
            counts[kind] += 1
        for name, record in ways.items():
            written.append(record)
            judged += [(name, image, score) for image, score in scores.items()]
    partial = out.with_name(f".partial-{secrets.token_hex(6)}")
    try:
        write_native(partial, written, judged, labelled.split)
        partial.rename(out)
    except OSError as error:
        raise RecomposeError(
            f"The set cannot be written to {out} ({error.strerror or error})."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return counts
