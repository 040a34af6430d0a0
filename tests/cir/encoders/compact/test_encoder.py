"""The shipped encoder: what holds of its rows whatever it has learned."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL.Image import Image

from cir.encoders.compact.encoder import FILES, FOLDER, CompactEncoder
from cir.encoders.protocol import Embeddings
from cir.errors import EncoderError
from tests.drawn import COLOURS, checked, solid, striped

PICTURES = [make(colour) for make in (solid, striped, checked) for colour in COLOURS]
# More pictures than are remembered, and more pairs than go through at once.
IMAGES = (PICTURES * 2)[:35]
TEXTS = [
    "in red",
    "",
    "the same shoe but in navy blue, with a white sole and without any laces at all",
    "männlich 名前 😀",
    "a",
    "x" * 500,
    "striped",
] * 5


def require_close(one: Embeddings, other: Embeddings) -> None:
    np.testing.assert_allclose(one, other, atol=1e-5)


def require_units(rows: Embeddings, count: int) -> None:
    assert rows.shape == (count, 512) and rows.dtype == np.float32
    require_close(np.linalg.norm(rows, axis=1), np.ones(count, np.float32))


def rows_of(encoder: CompactEncoder, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
    """Rows of the images, of the texts, and of both."""
    parts = (encoder.encode_images(images), encoder.encode_texts(texts))
    return np.concatenate([*parts, encoder.encode_composed(images, texts)])


def test_rows_are_units(compact: CompactEncoder) -> None:
    require_units(rows_of(compact, IMAGES, TEXTS), 3 * len(IMAGES))


def test_a_batch_gives_the_rows_of_each_alone(compact: CompactEncoder) -> None:
    # Texts of different lengths are padded in a batch and not alone.
    alone = [rows_of(compact, [image], [text]) for image, text in zip(IMAGES, TEXTS, strict=True)]
    together = rows_of(compact, IMAGES, TEXTS).reshape(3, len(IMAGES), -1)
    require_close(together, np.stack(alone, axis=1))


def test_order_does_not_matter(compact: CompactEncoder) -> None:
    forth = rows_of(compact, IMAGES, TEXTS).reshape(3, len(IMAGES), -1)
    back = rows_of(compact, IMAGES[::-1], TEXTS[::-1]).reshape(3, len(IMAGES), -1)
    require_close(forth, back[:, ::-1])


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u00a0"])
def test_without_words_the_image_is_the_query(compact: CompactEncoder, text: str) -> None:
    images = PICTURES[:4]
    composed = compact.encode_composed(images, [text] * 4)
    require_close(composed, compact.encode_images(images))


def test_different_inputs_give_different_rows(compact: CompactEncoder) -> None:
    rows = rows_of(compact, PICTURES[:3], ["in red", "in blue", "striped"])
    assert (rows @ rows.T - np.eye(9)).max() < 0.9999


def test_remembered_images_give_the_same_rows() -> None:
    encoder = CompactEncoder()
    texts = ["in red"] * len(PICTURES)
    first = encoder.encode_composed(PICTURES, texts)
    require_close(encoder.encode_composed(PICTURES, texts), first)
    for image, row in zip(PICTURES, first, strict=True):
        require_close(encoder.encode_composed([image], ["in red"]), row[None])


def test_shapes_and_sizes_of_pictures_do_not_matter(compact: CompactEncoder) -> None:
    sizes = [(1, 1), (1, 1000), (1000, 1), (3, 2), (224, 224), (1024, 700)]
    require_units(compact.encode_images([solid("red", size) for size in sizes]), len(sizes))


def test_nothing_gives_no_rows(compact: CompactEncoder) -> None:
    for rows in (
        compact.encode_images([]),
        compact.encode_texts([]),
        compact.encode_composed([], []),
    ):
        assert rows.shape == (0, 512) and rows.dtype == np.float32
    assert compact.truncates([]) == []


def test_pairs_must_pair_up(compact: CompactEncoder) -> None:
    with pytest.raises(ValueError, match="1 images and 2 texts"):
        compact.encode_composed([PICTURES[0]], ["a", "b"])


def test_long_texts_are_known_to_lose_their_end(compact: CompactEncoder) -> None:
    longest = "red " * 200
    assert compact.truncates(["in red", longest, ""]) == [False, True, False]
    require_close(compact.encode_texts([longest]), compact.encode_texts([longest + "and blue"]))


@pytest.mark.parametrize("text", ["\0", "\ud800", "\U000f0000", "a\u0301" * 50, "[PAD] [UNK]"])
def test_odd_texts_give_a_row(compact: CompactEncoder, text: str) -> None:
    require_units(compact.encode_texts([text]), 1)
    assert len(compact.truncates([text])) == 1


def test_threads_get_the_answers_of_one() -> None:
    encoder = CompactEncoder()
    pairs = list(zip(IMAGES, TEXTS, strict=True))[::2]
    expected = [rows_of(encoder, [image], [text]) for image, text in pairs]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda pair: rows_of(encoder, [pair[0]], [pair[1]]), pairs))
    require_close(np.stack(answers), np.stack(expected))


def test_the_fingerprint_is_that_of_the_weights(tmp_path: Path, compact: CompactEncoder) -> None:
    assert CompactEncoder().fingerprint == compact.fingerprint
    shutil.copytree(FOLDER, tmp_path / "weights")
    assert CompactEncoder(tmp_path / "weights").fingerprint == compact.fingerprint
    with (tmp_path / "weights" / "tokenizer.json").open("a") as file:
        file.write("\n")
    assert CompactEncoder(tmp_path / "weights").fingerprint != compact.fingerprint


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "words", "of another model"])
def test_missing_and_damaged_files_are_named(tmp_path: Path, name: str, damage: str) -> None:
    for file in FILES:
        shutil.copy(FOLDER / file, tmp_path / file)
    path = tmp_path / name
    match damage:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "words":
            path.write_bytes(b"not at all \xff")
        case _:
            shutil.copy(FOLDER / FILES[FILES.index(name) - 1], path)
    with pytest.raises(EncoderError) as caught:
        CompactEncoder(tmp_path)
    assert str(path) in str(caught.value)
