"""Recall on held-out products, in the four modes, by kind of change."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cir.training.model import Compact
from cir.training.triplets import TripletMaker

CUT = 10
QUERIES = 600


def recall_by_mode(
    model: Compact,
    features: Tensor,
    maker: TripletMaker,
    token_ids: Callable[[Sequence[str]], Tensor],
    random: Generator,
) -> dict[str, object]:
    """recall@10 of composed queries over a gallery of the maker's products, reference removed.

    `features` `(n, 26, channels)` are those of `maker.rows`, in their order. Returns recall per
    mode, the queries' count and the composed recall per kind of change.
    """
    drawn = []
    for row in random.choice(maker.rows, QUERIES):
        triplet = maker.composed(int(row), random)
        if triplet is not None:
            drawn.append(triplet)
    if not drawn:
        return {"queries": 0}
    place = {int(row): at for at, row in enumerate(maker.rows)}
    references = torch.tensor([place[each.reference] for each in drawn])
    texts = [each.text for each in drawn]
    with torch.inference_mode():
        gallery = model.rows(features, token_ids([""] * len(features)))
        composed = model.rows(features[references], token_ids(texts))
        text = model.rows(None, token_ids(texts))
    image = gallery[references]
    rows = {"composed": composed, "image": image, "text": text}
    rows["sum"] = functional.normalize(image + text, dim=-1)
    relevant = np.stack([maker.satisfies(each.wanted)[maker.rows] for each in drawn])
    hits = {name: _hits(each @ gallery.T, references, relevant) for name, each in rows.items()}
    kinds = defaultdict(list)
    for each, hit in zip(drawn, hits["composed"], strict=True):
        kinds[each.kind].append(hit)
    result: dict[str, object] = {"queries": len(drawn), "gallery": len(features)}
    result |= {f"recall@{CUT} {name}": round(float(hit.mean()), 4) for name, hit in hits.items()}
    result["kinds"] = {kind: round(float(np.mean(hit)), 4) for kind, hit in sorted(kinds.items())}
    return result


def _hits(scores: Tensor, references: Tensor, relevant: NDArray[np.bool_]) -> NDArray[np.bool_]:
    scores = scores.clone()
    scores[torch.arange(len(scores)), references] = -2.0
    top = scores.topk(min(CUT, scores.shape[1]), dim=1).indices.numpy()
    return np.any(np.take_along_axis(relevant, top, axis=1), axis=1)
