"""Tokenizers of the large encoders."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cir.encoders.on_torch.torchvision_compat import prepare_torchvision
from cir.encoders.texts import clean
from cir.errors import EncoderError

_PROBES = ("", "In Red!", "a dress, 2 sizes larger?", "É ﬁ 名前 don't", "x" * 120)


class TextTokens:
    """A tokenizer of a local folder, as `transformers` reads it. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            EncoderError: the folder is missing or holds no tokenizer.
        """
        if not folder.is_dir():
            raise EncoderError(f"There is no tokenizer folder {folder}.")
        self._folder = folder
        prepare_torchvision()  # transformers may import torchvision
        from transformers import AutoTokenizer

        try:
            loaded: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            self._tokenizer = loaded.backend_tokenizer
        except Exception as error:  # the library raises whatever its parts raise
            raise EncoderError(
                f"{folder} holds no tokenizer that can be read. It needs the files that the "
                "encoder's tokenizer is published with: tokenizer.json or vocab.txt, and "
                "tokenizer_config.json."
            ) from error
        # Truncation and padding are ours: changing them would not be safe between threads.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    @property
    def digest(self) -> bytes:
        """SHA-256 of its vocabulary and of what it makes of a sample of texts.

        Not of its serialised form, which another version of the library may write differently:
        indexes would then be refused although no embedding has changed.
        """
        vocabulary = sorted(self._tokenizer.get_vocab(with_added_tokens=True).items())
        return hashlib.sha256(repr((vocabulary, self.ids(_PROBES))).encode()).digest()

    def require_vocabulary(self, known: int, checkpoint: Path) -> None:
        """Check that a checkpoint knows every token.

        Raises:
            EncoderError: it knows only `known`, which are fewer.
        """
        size: int = self._tokenizer.get_vocab_size(with_added_tokens=True)
        if size > known:
            raise EncoderError(
                f"The tokenizer {self._folder} knows {size} tokens, the checkpoint {checkpoint} "
                f"only {known}: they do not belong together."
            )

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each cleaned text, with the marks at its ends."""
        return [each.ids for each in self._tokenizer.encode_batch([clean(text) for text in texts])]


def cut(ids: list[int], limit: int) -> list[int]:
    """The ids, at most `limit`; the mark at the end stays."""
    return ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]


def padded(
    rows: Sequence[list[int]], pad: int, device: torch.device
) -> tuple[Tensor, Tensor | None]:
    """Ids `(n, longest)`, padded on the right, and where they are no padding; None: nowhere."""
    longest = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows], device=device)
    if all(len(row) == longest for row in rows):
        return ids, None
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return ids, torch.arange(longest, device=device) < lengths[:, None]
