"""How much a ranking changes when the same wish is typed otherwise."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cir.training.language.slips import slip
from eval.runs.queries import ranked_paths
from eval.runs.ranks import COMPOSED
from eval.runs.reading import Run
from eval.sets.labelled import LabelledSet

CUT = 10
_SEED = 11
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


def robustness(
    labelled: LabelledSet, plain: Run, ask: Callable[[LabelledSet], Run]
) -> dict[str, Mapping[str, float]]:
    """For each way of typing: recall@10, and how much of the first ten stays the same (0 to 1).

    Args:
        labelled: the queries as they are written.
        plain: their run.
        ask: gives the run of a set over the same gallery.
    """
    report = {"as written": _figures(plain, plain, labelled)}
    for name, change in _CHANGES.items():
        random = np.random.default_rng(_SEED)
        queries = tuple(
            replace(query, instruction=change(query.instruction, random))
            for query in labelled.queries
        )
        other = ask(replace(labelled, queries=queries, source=None))
        report[name] = _figures(plain, other, labelled)
    return report


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


_CHANGES: Mapping[str, Callable[[str, np.random.Generator], str]] = {
    "one typo": slip,
    "two typos": lambda text, random: slip(slip(text, random), random),
    "capitals": lambda text, random: text.upper(),
    "polite": lambda text, random: f"Hello, {text}, please. Thank you!",
    "synonyms": lambda text, random: with_synonyms(text),
    "paraphrased": lambda text, random: paraphrase(text),
}


def _figures(plain: Run, other: Run, labelled: LabelledSet) -> Mapping[str, float]:
    ids = [query.id for query in labelled.queries]
    before = ranked_paths(plain, COMPOSED, ids, CUT)
    now = ranked_paths(other, COMPOSED, ids, CUT)
    kept = [len({*first} & {*now.get(each, ())}) / len(first) for each, first in before.items()]
    return {
        f"recall@{CUT}": round(other.metrics[f"recall@{CUT}"], 4),
        "first ten kept": round(float(np.mean(kept)), 4) if kept else 0.0,
    }
