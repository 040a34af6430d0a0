"""Milliseconds of an encoder on this machine."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cir.encoders.protocol import Encoder
from cir.images import open_image
from eval.sets.labelled import LabelledSet

ROUNDS, BATCH = 24, 32


def speed(encoder: Encoder, files: Sequence[Path], labelled: LabelledSet) -> Mapping[str, float]:
    """Medians: a composed query on an image not seen before, a new instruction on the same image,
    and an image in a batch; images are open already."""
    some = [open_image(file) for file in files[:BATCH]]
    texts = [query.instruction for query in labelled.queries]
    encoder.encode_images(some[:1])
    shifted = [image.rotate(180) for image in some]  # not among the remembered ones
    return {
        "ms a composed query": _median(
            lambda turn: encoder.encode_composed(
                [shifted[turn % len(shifted)]], [texts[turn % len(texts)]]
            )
        ),
        "ms a new instruction": _median(
            lambda turn: encoder.encode_composed([some[0]], [texts[turn % len(texts)]])
        ),
        "ms an image in a batch": round(
            _median(lambda turn: encoder.encode_images(some), rounds=5) / len(some), 2
        ),
    }


def _median(work: Callable[[int], object], rounds: int = ROUNDS) -> float:
    seconds = []
    for turn in range(rounds):
        started = time.perf_counter()
        work(turn)
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds) * 1000, 2)
