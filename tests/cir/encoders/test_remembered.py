"""What is kept of recent images and queries."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from cir.encoders.compact.encoder import CompactEncoder
from cir.encoders.remembered import REMEMBERED, Pixels, Remembered, RememberingEncoder
from tests.drawn import solid


def picture(number: int) -> Pixels:
    return np.full((2, 2, 3), number, dtype=np.uint8)


class Maker:
    """Gives an image's number, and counts what it was asked for."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(self, batch: NDArray[np.uint8]) -> list[int]:
        numbers = [int(row[0, 0, 0]) for row in batch]
        self.made += numbers
        return numbers


def test_an_image_is_made_once() -> None:
    held, make = Remembered[int](), Maker()
    batch = np.stack([picture(number) for number in (1, 2, 1, 3)])
    assert held.get(batch, make) == [1, 2, 1, 3]
    assert sorted(make.made) == [1, 2, 3]
    assert held.get(batch[::-1], make) == [3, 1, 2, 1]
    assert len(make.made) == 3


def test_only_the_last_are_kept() -> None:
    held, make = Remembered[int](), Maker()
    many = np.stack([picture(number) for number in range(REMEMBERED + 2)])
    assert held.get(many, make) == list(range(REMEMBERED + 2))
    make.made.clear()
    held.get(many[2:], make)
    assert make.made == []
    held.get(many[:1], make)
    assert make.made == [0]
    held.get(many[3:4], make)  # used, so that it outlives number 2, which is older now
    held.get(many[1:2], make)
    make.made.clear()
    held.get(many[3:4], make)
    assert make.made == []


def test_a_batch_of_more_than_is_kept_is_answered_whole() -> None:
    held, make = Remembered[int](), Maker()
    many = np.stack([picture(number) for number in range(3 * REMEMBERED)])
    assert held.get(many, make) == list(range(3 * REMEMBERED))


def test_threads_may_share_it() -> None:
    held, make = Remembered[int](), Maker()

    def ask(number: int) -> list[int]:
        return held.get(np.stack([picture(number % 40), picture((number + 1) % 40)]), make)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(2000)))
    assert found == [[number % 40, (number + 1) % 40] for number in range(2000)]


def test_rows_are_kept_by_what_was_encoded(compact: CompactEncoder) -> None:
    red, blue = solid("red"), solid("blue")
    encoder = RememberingEncoder(compact)
    for _ in range(2):
        assert np.array_equal(encoder.encode_images([blue, red])[1:], compact.encode_images([red]))
        assert np.array_equal(encoder.encode_texts(["red"]), compact.encode_texts(["red"]))
        for image, text in ((red, "a"), (red, "b"), (blue, "a")):
            rows = encoder.encode_composed([image], [text])
            assert np.array_equal(rows, compact.encode_composed([image], [text]))
    assert encoder.encode_images([]).shape == (0, 512)
    rows[:] = 0  # what is given belongs to who asked
    assert encoder.encode_composed([blue], ["a"]).any()
