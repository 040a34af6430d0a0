"""What every encoder offers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from cir.errors import EncoderMismatchError

Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class HubFiles:
    """Where an encoder's files are on the Hugging Face hub.

    Attributes:
        repository: of the checkpoint, `owner/name`. file: the checkpoint in it.
        tokenizer: repository of the tokenizer's files.
        more: files that are read from the folder of the checkpoint, where they are there.
    """

    repository: str
    file: str
    tokenizer: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class EncoderSpec:
    """Facts about an encoder that are known before it is loaded.

    Attributes:
        name: what people type, for example `compact`.
        title: one line for people.
        recommended_for: what one chooses it for, a few words.
        dim: length of an embedding.
        parameters: number of trained values.
        download_bytes: what would be fetched on first use; 0 when it ships with the project.
        licence: licence of the weights.
        source: where the weights come from.
        hub: its files, None when it ships with the project.
    """

    name: str
    title: str
    recommended_for: str
    dim: int
    parameters: int
    download_bytes: int
    licence: str
    source: str
    hub: HubFiles | None = None


class Encoder(Protocol):
    """Turns images, texts and composed queries into unit vectors of one space.

    Attributes:
        spec: facts about the encoder.
        fingerprint: hex digest of weights and preprocessing; equal fingerprints give
            comparable embeddings.
        precision: "exact" (float32), or the name of a faster inexact arithmetic.
        weights, tokenizer: the file or folder that a person named for them; None where they came
            with the project or from the hub.
        batch: images that one call best gets.
    """

    spec: EncoderSpec
    fingerprint: str
    precision: str
    weights: str | None
    tokenizer: str | None
    batch: int

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` RGB images."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` texts."""
        ...

    def encode_composed(self, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` pairs of reference image and instruction.

        An empty text gives the row of the image alone.
        """
        ...

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """For each text, whether it is longer than the model can read beside an image."""
        ...


class MadeByEncoder(Protocol):
    """An index's name, and the encoder that made its embeddings; `cir.store.IndexInfo` is one.

    `weights`, `tokenizer`: where a person had them; see `Encoder`.
    """

    @property
    def name(self) -> str: ...
    @property
    def encoder(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def weights(self) -> str | None: ...
    @property
    def tokenizer(self) -> str | None: ...


def require_same_encoder(encoder: Encoder, index: MadeByEncoder) -> None:
    """Check that an index's embeddings are of this encoder.

    Raises:
        EncoderMismatchError: they are not; names both.
    """
    if (encoder.spec.name, encoder.fingerprint) == (index.encoder, index.fingerprint):
        return
    way_out = (
        "Its weights have changed since: drop the index and index its folder again."
        if encoder.spec.name == index.encoder
        else "Use its own encoder, or build an index under another name."
    )
    raise EncoderMismatchError(
        f"The index {index.name!r} was made by the encoder {index.encoder} (weights "
        f"{index.fingerprint[:8]}), not by {encoder.spec.name} (weights "
        f"{encoder.fingerprint[:8]}). {way_out}"
    )


def precision_note(encoder: Encoder, index: MadeByEncoder) -> str | None:
    """What to tell a person whose encoder computes in another precision than the index's did."""
    if encoder.precision == index.precision:
        return None
    return (
        f"The index {index.name!r} was made in {index.precision} precision, this encoder computes "
        f"in {encoder.precision}: scores differ in the third digit, near neighbours may swap."
    )
