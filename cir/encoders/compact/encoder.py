"""The compact encoder on ONNX Runtime."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from tokenizers import Tokenizer

from cir.encoders.compact import COMPACT
from cir.encoders.compact.preprocess import pixels
from cir.encoders.protocol import Embeddings
from cir.encoders.remembered import Remembered
from cir.encoders.texts import clean, is_shortened
from cir.errors import EncoderError
from cir.parallel import usable_cores

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read at the import
import onnxruntime

FOLDER = Path(__file__).resolve().parent
FILES = ("image.onnx", "fusion.onnx", "tokenizer.json")
BATCH = 16  # more are no faster on a CPU, and an ingest holds two batches of decoded pictures
KNOWN = 0.5  # least probability of a picture that is not strange
TOWER_BATCH = 2  # more are no faster: the feature maps leave the cores' caches, and take memory


class _Seen(NamedTuple):
    """What the image graph sees in one image: tokens `(t, width)`, what is read of attributes."""

    tokens: NDArray[np.float32]
    readings: NDArray[np.float32]


class CompactEncoder:
    """Image tokens and text tokens in one small transformer; see MODEL_CARD.md.

    Safe to share between threads.
    """

    spec = COMPACT
    precision = "exact"
    tokenizer: str | None = None  # lies with the graphs
    batch = BATCH

    def __init__(self, weights: str | Path | None = None, precision: str = "auto") -> None:
        """Load graphs and tokenizer from a folder; None takes those that ship with the project.

        Raises:
            EncoderError: a file is missing or is not what it should be, or the precision is not one
                of "auto", "fast" and "exact", which are the same here.
        """
        if precision not in {"auto", "fast", "exact"}:
            raise EncoderError(f"The encoder compact computes exactly, not in {precision!r}.")
        self.weights = None if weights is None else str(Path(weights).expanduser().resolve())
        folder = FOLDER if self.weights is None else Path(self.weights)
        self.fingerprint = _fingerprint(folder)
        self._tokenizer = _load_tokenizer(folder / "tokenizer.json")
        self._image = _session(folder / "image.onnx", ["images"], ["tokens", "readings"])
        self._fusion = _session(folder / "fusion.onnx", ["image", "readings", "ids"], ["rows"])
        self._types = _count_types(folder / "manifest.json")
        self._side = self._image.get_inputs()[0].shape[1]
        image, readings, _ = self._fusion.get_inputs()
        self._nothing = _Seen(
            np.zeros((0, image.shape[2]), np.float32), np.zeros(readings.shape[1], np.float32)
        )
        self._remembered: Remembered[_Seen] = Remembered()

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """`(n, 512)` float32 unit rows of `n` RGB images."""
        return self.encode_and_look(images)[0]

    def encode_and_look(
        self, images: Sequence[Image]
    ) -> tuple[Embeddings, NDArray[np.bool_] | None]:
        """Rows as `encode_images` gives them, and `(n,)` which images are strange.

        An image is as far of a kind that the attributes are about as the probabilities of its
        types, the first attribute, sum up to; below one half it is strange. None where the graphs
        came without the manifest that says how many types there are.
        """
        parts, known = [], [np.zeros(0, np.float32)]
        for start in range(0, len(images), BATCH):
            seen = self._seen(self._pixels(images[start : start + BATCH]))
            parts.append(self._fuse(seen, None))
            known.append(np.array([each.readings[: self._types].sum() for each in seen]))
        strange = np.concatenate(known) < KNOWN if self._types else None
        return _joined(parts), strange

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """`(n, 512)` float32 unit rows of `n` texts."""
        parts = []
        for start in range(0, len(texts), BATCH):
            part = texts[start : start + BATCH]
            parts.append(self._fuse([self._nothing] * len(part), part))
        return _joined(parts)

    def encode_composed(self, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
        """`(n, 512)` float32 unit rows of `n` pairs of reference image and instruction.

        Raises:
            ValueError: there are not as many texts as images.
        """
        if len(images) != len(texts):
            raise ValueError(f"{len(images)} images and {len(texts)} texts do not pair up")
        parts = []
        for start in range(0, len(images), BATCH):
            batch = self._pixels(images[start : start + BATCH])
            seen = self._remembered.get(batch, self._seen)
            parts.append(self._fuse(seen, texts[start : start + BATCH]))
        return _joined(parts)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """For each text, whether it is longer than the model can read."""
        encoded = zip(texts, self._encoded(texts), strict=True)
        return [is_shortened(text) or bool(each.overflowing) for text, each in encoded]

    def _pixels(self, images: Sequence[Image]) -> NDArray[np.uint8]:
        return pixels(images, self._side)

    def _seen(self, batch: NDArray[np.uint8]) -> list[_Seen]:
        seen = []
        for start in range(0, len(batch), TOWER_BATCH):
            part = {"images": batch[start : start + TOWER_BATCH]}
            seen += [_Seen(*each) for each in zip(*self._image.run(None, part), strict=True)]
        return seen

    def _fuse(self, seen: Sequence[_Seen], texts: Sequence[str] | None) -> Embeddings:
        encoded = self._encoded(texts or [""] * len(seen))
        inputs = {
            "image": np.stack([each.tokens for each in seen]),
            "readings": np.stack([each.readings for each in seen]),
            "ids": np.array([each.ids for each in encoded], dtype=np.int64),
        }
        rows: Embeddings = self._fusion.run(None, inputs)[0]
        return rows

    def _encoded(self, texts: Sequence[str]) -> Sequence[Any]:
        encoded: Sequence[Any] = self._tokenizer.encode_batch([clean(text) for text in texts])
        return encoded


def _joined(parts: Sequence[Embeddings]) -> Embeddings:
    return np.concatenate(parts) if parts else np.zeros((0, COMPACT.dim), np.float32)


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in FILES:
        digest.update(hashlib.sha256(_read(folder / name)).digest())
    return digest.hexdigest()[:32]


def _count_types(manifest: Path) -> int:
    """How many values the first attribute has; 0 where no manifest says it."""
    try:
        told = json.loads(manifest.read_text("utf-8"))["settings"]["attributes"]
        return int(told[0][1])
    except (OSError, ValueError, LookupError, TypeError):
        return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EncoderError(
            f"The compact encoder's file {error.filename} cannot be read ({error.strerror}). "
            "It ships with Recompose: restore it from the repository."
        ) from error


def _load_tokenizer(path: Path) -> Any:
    content = _read(path)
    try:
        return Tokenizer.from_str(content.decode("utf-8"))
    except Exception as error:  # the library raises bare Exception
        raise EncoderError(f"{path} is not a tokenizer ({error}). Restore it.") from error


def _session(path: Path, inputs: list[str], outputs: list[str]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    options.log_severity_level = 3
    # The arena would keep what the largest batch took; without it, nothing is slower.
    options.enable_cpu_mem_arena = False
    # Else the threads of one graph go on spinning while the other computes: a sixth of the time.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        # By its path: of a graph handed over as bytes, the session would keep those.
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    except Exception as error:  # the runtime's error classes share no public base
        raise EncoderError(
            f"{path} is not a graph that ONNX Runtime can load. Restore it."
        ) from error
    taken = [each.name for each in session.get_inputs()]
    given = [each.name for each in session.get_outputs()]
    if (taken, given) != (inputs, outputs):
        raise EncoderError(
            f"{path} takes {taken} and gives {given}, not {inputs} and {outputs}: another model's "
            "graph. Restore it."
        )
    return session
