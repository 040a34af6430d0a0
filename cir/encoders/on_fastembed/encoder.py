"""Two ONNX graphs of one space, read as fastembed reads them."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from cir.encoders.protocol import Embeddings, EncoderChoice, EncoderSpec, FoundFiles
from cir.encoders.texts import clean, is_shortened
from cir.encoders.unit import normalised
from cir.errors import EncoderError
from cir.parallel import usable_cores

WAY = "fe 1"  # a part of the fingerprint: new whenever embeddings change
BATCH = 8


class FastembedEncoder:
    """A composed query is the normalised sum of its image's and its text's unit rows.

    Computes on the CPU. Safe to share between threads.
    """

    precision = "exact"
    batch = BATCH

    def __init__(
        self,
        spec: EncoderSpec,
        models: tuple[str, str],
        files: FoundFiles,
        choice: EncoderChoice,
    ) -> None:
        """Load the graph for images of one folder, and that for texts of the other.

        Raises:
            EncoderError: a file is missing or damaged, or the two are not of one space.
        """
        from fastembed import ImageEmbedding, TextEmbedding

        image, text = models
        self.spec = spec
        self._image = _tower(ImageEmbedding, image, files.weights)
        self._text = _tower(TextEmbedding, text, files.tokenizer)
        # Nothing of a named folder is run: an index may say where it was.
        self.weights, self.tokenizer = choice.weights, choice.tokenizer
        seen = self._images([_square()])
        read = self._texts(["a"])
        if seen.shape != read.shape:
            raise EncoderError(
                f"The graph for images in {files.weights} gives {seen.shape[1]} numbers, that for "
                f"texts in {files.tokenizer} {read.shape[1]}: they are of two models."
            )
        self.spec = replace(spec, dim=seen.shape[1])
        self.fingerprint = _fingerprint([folder.last for folder in spec.folders], files)

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` RGB images."""
        return normalised(self._images(images))

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` texts; what is too long is cut."""
        return normalised(self._texts([clean(text) for text in texts]))

    def encode_composed(self, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` pairs of reference image and instruction.

        An empty text gives the row of the image alone; what is too long is cut.

        Raises:
            ValueError: there are not as many texts as images.
        """
        if len(images) != len(texts):
            raise ValueError(f"{len(images)} images and {len(texts)} texts do not pair up")
        said = [clean(text) for text in texts]
        worded = np.array([bool(text) for text in said], bool)[:, None]
        read = np.where(worded, self.encode_texts(said), np.float32(0))
        return normalised(self.encode_images(images) + read)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """For each text, whether it is longer than the model can read."""
        encoded = self._text.model.tokenizer.encode_batch([clean(text) for text in texts])
        return [
            is_shortened(text) or bool(each.overflowing)
            for text, each in zip(texts, encoded, strict=True)
        ]

    def _images(self, images: Sequence[Image]) -> NDArray[np.float32]:
        return _stacked(self._image.embed(list(images), batch_size=BATCH), self.spec.dim)

    def _texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return _stacked(self._text.embed(list(texts), batch_size=BATCH), self.spec.dim)


def _stacked(rows: Any, dim: int) -> NDArray[np.float32]:
    found = list(rows)
    return np.array(found, np.float32) if found else np.zeros((0, dim), np.float32)


def _square() -> Image:
    from PIL import Image as images

    return images.new("RGB", (64, 64), "grey")


def _tower(kind: Any, model: str, folder: Path) -> Any:
    try:
        return kind(
            model,
            specific_model_path=str(folder),
            threads=usable_cores(),
            cuda=False,
            local_files_only=True,
            enable_cpu_mem_arena=False,  # it would keep what the largest batch took
        )
    except Exception as error:  # the runtime's error classes share no public base
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise EncoderError(
            f"fastembed cannot load {model} from {folder}: {reason}. Fetch it again, or name "
            "another folder."
        ) from error


def _fingerprint(graphs: Sequence[str], files: FoundFiles) -> str:
    digest = hashlib.sha256(WAY.encode())
    for folder, graph in zip((files.weights, files.tokenizer), graphs, strict=True):
        for name in (graph, "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"):
            if (folder / name).is_file():
                with (folder / name).open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]
