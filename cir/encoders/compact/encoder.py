"""The compact encoder on ONNX Runtime."""

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from cir.cores import usable_cores
from cir.encoders.base import Embeddings, EncoderSpec
from cir.encoders.compact.preprocess import pixels
from cir.errors import EncoderError

FOLDER = Path(__file__).resolve().parent
FILES = ("image.onnx", "fusion.onnx", "tokenizer.json")
BATCH = 32  # images at a time: more gain nothing on a CPU and cost memory
REMEMBERED = 16  # images whose tokens are kept for the next instruction

SPEC = EncoderSpec(
    name="compact",
    title="Compact: ships with Recompose, made for garments and accessories",
    dim=256,
    parameters=15_700_000,
    download_bytes=0,
    licence="MIT",
    source="trained by this project; see MODEL_CARD.md beside its graphs",
)


class CompactEncoder:
    """Image tokens and text tokens in one small transformer; see MODEL_CARD.md.

    Safe to share between threads.
    """

    spec = SPEC
    precision = "exact"

    def __init__(self, folder: Path = FOLDER) -> None:
        """Load graphs and tokenizer from the folder.

        Raises:
            EncoderError: a file is missing or is not what it should be.
        """
        contents = _read(folder)
        self.fingerprint = _fingerprint(contents)
        self._tokenizer = _load_tokenizer(contents["tokenizer.json"], folder)
        self._image = _session(contents["image.onnx"], folder / "image.onnx", ["images"])
        self._fusion = _session(contents["fusion.onnx"], folder / "fusion.onnx", ["image", "ids"])
        self._no_tokens = np.zeros((0, self._fusion.get_inputs()[0].shape[2]), np.float32)
        self._remembered: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """`(n, 256)` float32 unit rows of `n` RGB images."""
        parts = [
            self._fuse(self._tokens(pixels(images[start : start + BATCH])), None)
            for start in range(0, len(images), BATCH)
        ]
        return _joined(parts)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """`(n, 256)` float32 unit rows of `n` texts."""
        parts = []
        for start in range(0, len(texts), BATCH):
            part = texts[start : start + BATCH]
            parts.append(self._fuse(np.stack([self._no_tokens] * len(part)), part))
        return _joined(parts)

    def encode_composed(self, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
        """`(n, 256)` float32 unit rows of `n` pairs of reference image and instruction.

        Raises:
            ValueError: there are not as many texts as images.
        """
        if len(images) != len(texts):
            raise ValueError(f"{len(images)} images and {len(texts)} texts do not pair up")
        parts = []
        for start in range(0, len(images), BATCH):
            tokens = self._tokens_by_content(pixels(images[start : start + BATCH]))
            parts.append(self._fuse(tokens, texts[start : start + BATCH]))
        return _joined(parts)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """For each text, whether it is longer than the model can read."""
        return [bool(each.overflowing) for each in self._encoded(texts)]

    def _tokens(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        tokens: NDArray[np.float32] = self._image.run(None, {"images": batch})[0]
        return tokens

    def _tokens_by_content(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Tokens of a batch, those of recent pictures from memory."""
        keys = [hashlib.sha256(row.tobytes()).digest() for row in batch]
        with self._lock:
            known = {key: self._remembered[key] for key in keys if key in self._remembered}
        fresh = {key: at for at, key in enumerate(keys) if key not in known}
        if fresh:
            made = self._tokens(batch[list(fresh.values())])
            known |= dict(zip(fresh, made, strict=True))
        with self._lock:
            for key in keys:
                self._remembered[key] = known[key]
                self._remembered.move_to_end(key)
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return np.stack([known[key] for key in keys])

    def _fuse(self, tokens: NDArray[np.float32], texts: Sequence[str] | None) -> Embeddings:
        encoded = self._encoded(texts or [""] * len(tokens))
        ids = np.array([each.ids for each in encoded], dtype=np.int64)
        rows: Embeddings = self._fusion.run(None, {"image": tokens, "ids": ids})[0]
        return rows

    def _encoded(self, texts: Sequence[str]) -> Sequence[Any]:
        # The tokenizer refuses lone surrogates: bytes of a command line that are not UTF-8.
        valid = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        encoded: Sequence[Any] = self._tokenizer.encode_batch(valid)
        return encoded


def _joined(parts: Sequence[Embeddings]) -> Embeddings:
    return np.concatenate(parts) if parts else np.zeros((0, SPEC.dim), np.float32)


def _read(folder: Path) -> dict[str, bytes]:
    try:
        return {name: (folder / name).read_bytes() for name in FILES}
    except OSError as error:
        raise EncoderError(
            f"The compact encoder's file {error.filename} cannot be read ({error.strerror}). "
            "It ships with Recompose: restore it from the repository."
        ) from error


def _fingerprint(contents: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in FILES:
        digest.update(hashlib.sha256(contents[name]).digest())
    return digest.hexdigest()[:32]


def _load_tokenizer(content: bytes, folder: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_str(content.decode("utf-8"))
    except Exception as error:  # the library raises bare Exception
        raise EncoderError(
            f"{folder / 'tokenizer.json'} is not a tokenizer ({error}). Restore it."
        ) from error


def _session(content: bytes, path: Path, inputs: list[str]) -> Any:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read at the import
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    except Exception as error:  # the runtime's error classes share no public base
        raise EncoderError(
            f"{path} is not a graph that ONNX Runtime can load. Restore it."
        ) from error
    found = [each.name for each in session.get_inputs()]
    if found != inputs:
        raise EncoderError(
            f"{path} takes {found}, not {inputs}: another model's graph. Restore it."
        )
    return session
