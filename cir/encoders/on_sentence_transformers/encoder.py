"""An encoder over one SentenceTransformer."""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image

from cir.encoders.on_sentence_transformers import Named
from cir.encoders.on_torch.devices import TYPES, pick_device, pick_precision, use_usable_cores
from cir.encoders.on_torch.torchvision_compat import prepare_torchvision
from cir.encoders.protocol import Embeddings, EncoderChoice, EncoderSpec, FoundFiles
from cir.encoders.texts import clean, is_shortened
from cir.encoders.unit import normalised
from cir.encoders.weights import licence_of
from cir.errors import EncoderError, UsageError

WAY = "st 1"  # a part of the fingerprint: new whenever embeddings change
CPU_BATCH, GPU_BATCH = 8, 32
JOINT = ("image", "text")


class SentenceTransformersEncoder:
    """Images as the model's documents, texts and composed queries as its queries.

    A composed query is read by the model as one input where it `supports(("image", "text"))`; else
    it is the sum of the outputs of the two towers, taken before normalising as BGE-VL's is (Zhou
    et al. 2024). Safe to share between threads.
    """

    weights: str | None = None
    tokenizer: str | None = None

    def __init__(
        self, spec: EncoderSpec, named: Named, files: FoundFiles | None, choice: EncoderChoice
    ) -> None:
        """Load the model from a folder; nothing is downloaded.

        Raises:
            UsageError: embeddings are shorter than asked, or it reads no images or no texts.
            EncoderError: it cannot be loaded.
        """
        folder = named.folder if files is None else files.weights
        assert folder is not None  # a name without a folder has files
        if not folder.is_dir():
            raise UsageError(f"There is no folder {folder} with a model of sentence-transformers.")
        device = pick_device(choice.device)
        self.precision: str = pick_precision(choice.precision, device)
        use_usable_cores()
        self._model = _load(folder, named, device, TYPES.get(self.precision, torch.float32))
        _require_both(self._model, spec.name)
        self.joint: bool = self._model.supports(JOINT)
        if not self.joint:
            _fit_text_tower(self._model)
        dim = self._model.get_embedding_dimension()
        if named.truncate_dim and (dim is None or dim < named.truncate_dim):
            raise UsageError(
                f"{spec.source} gives {dim} numbers: truncate_dim={named.truncate_dim} is more."
            )
        self._named = named
        self._lock = threading.Lock()  # its tokenizer sets lengths in itself at each call
        self.batch = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        self.spec = replace(
            spec,
            dim=named.truncate_dim or dim or self._rows([{"text": "a"}], query=True).shape[1],
            parameters=sum(each.numel() for each in self._model.parameters()),
            licence=licence_of(folder) or "not stated",
        )
        self.fingerprint = _fingerprint(named, folder)

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` RGB images."""
        return normalised(self._rows([{"image": image} for image in images]))

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` texts; what is too long is cut."""
        # As dicts: a bare text that looks like a path or an address is read as a picture.
        asked = [{"text": clean(text) or " "} for text in texts]
        return normalised(self._rows(asked, query=True))

    def encode_composed(self, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` pairs of reference image and instruction.

        An empty text gives the row of the image alone; what is too long is cut.

        Raises:
            ValueError: there are not as many texts as images.
        """
        if len(images) != len(texts):
            raise ValueError(f"{len(images)} images and {len(texts)} texts do not pair up")
        said = [clean(text) for text in texts]
        worded = [at for at, text in enumerate(said) if text]
        plain = [at for at, text in enumerate(said) if not text]
        rows = np.zeros((len(images), self.spec.dim), np.float32)
        rows[plain] = self.encode_images([images[at] for at in plain])
        pairs = [(images[at], said[at]) for at in worded]
        if self.joint:
            # The order of the keys is that of the tokens.
            asked = [{"image": image, "text": text} for image, text in pairs]
            together = self._rows(asked, query=True)
        else:
            seen = self._rows([{"image": image} for image, _ in pairs])
            together = seen + self._rows([{"text": text} for _, text in pairs], query=True)
        rows[worded] = normalised(together)
        return rows

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """For each text, whether it is longer than the model can read."""
        limit = self._model.max_seq_length
        with self._lock:
            lengths = [len(self._model.tokenizer(clean(text))["input_ids"]) for text in texts]
        read = zip(texts, lengths, strict=True)
        return [
            is_shortened(text) or (limit is not None and length > limit) for text, length in read
        ]

    def _rows(
        self, inputs: Sequence[dict[str, Any]], *, query: bool = False
    ) -> NDArray[np.float32]:
        """`(n, dim)` rows as the model gives them, cut to the length that was asked for."""
        if not inputs:
            return np.zeros((0, self.spec.dim), np.float32)
        encode = self._model.encode_query if query else self._model.encode_document
        with self._lock, torch.inference_mode():
            rows = encode(
                list(inputs),
                prompt=self._named.prompt if query else None,
                batch_size=self.batch,
                show_progress_bar=False,
                convert_to_tensor=True,
                normalize_embeddings=False,
            )
        found: NDArray[np.float32] = rows.float().cpu().numpy()
        return found


def _load(folder: Path, named: Named, device: torch.device, dtype: torch.dtype) -> Any:
    prepare_torchvision()
    try:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(
            str(folder),
            device=str(device),
            trust_remote_code=named.trust_remote_code,
            local_files_only=True,
            truncate_dim=named.truncate_dim,
            model_kwargs={"dtype": dtype},
        ).eval()
    except Exception as error:  # what files of others raise has no end
        if "trust_remote_code" in str(error) and not named.trust_remote_code:
            asked = replace(named, trust_remote_code=True).name
            raise EncoderError(
                f"The model {named.folder or named.repository} only loads by running Python code "
                f"that comes with it, which is not done unasked. If you have read it and trust it, "
                f"name it with its revision, as {asked}"
            ) from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise EncoderError(
            f"sentence-transformers cannot load {named.folder or named.repository}: {reason}. Its "
            f"files are in {folder}."
        ) from error


def _require_both(model: Any, name: str) -> None:
    for modality, words in (("image", "pictures"), ("text", "texts")):
        if not model.supports(modality):
            there = ", ".join(str(each) for each in model.modalities)
            raise UsageError(
                f"The model {name} reads no {words} (but {there}): it is no encoder for a search "
                "by picture and text."
            )


def _fit_text_tower(model: Any) -> None:
    """Let the tokenizer of a model with two towers cut and pad as its text tower was trained.

    A published tokenizer may know no limit. SigLIP reads the last position, padding included, and
    was trained on texts of full length (Zhai et al. 2023); sentence-transformers pads to the
    longest of a batch, and hides the padding.
    """
    config = getattr(model, "config", None)
    places = getattr(getattr(config, "text_config", None), "max_position_embeddings", None)
    if not isinstance(places, int):
        return
    if model.max_seq_length is None or model.max_seq_length > places:
        model.max_seq_length = places
    padding = getattr(model[0], "processing_kwargs", None)
    if getattr(config, "model_type", "") in {"siglip", "siglip2"} and isinstance(padding, dict):
        usual = {
            "padding": "max_length",
            "max_length": model.max_seq_length,
            "return_attention_mask": False,
        }
        padding["text"] = usual | padding.get("text", {})


def _fingerprint(named: Named, folder: Path) -> str:
    """32 hex digits of what decides embeddings: repository and commit, else the files' content."""
    digest = hashlib.sha256(repr((WAY, named.truncate_dim, named.prompt)).encode())
    if named.folder is None and folder.parent.name == "snapshots":  # the hub's cache
        digest.update(f"{named.repository} {folder.name}".encode())
        return digest.hexdigest()[:32]
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        digest.update(path.relative_to(folder).as_posix().encode() + content)
    return digest.hexdigest()[:32]
