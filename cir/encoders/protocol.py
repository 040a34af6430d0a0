"""What every encoder offers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from cir.errors import EncoderMismatchError, WayOut

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
class HubFolder:
    """A repository of the Hugging Face hub whose files are read where they lie together.

    Attributes:
        repository: `owner/name`.
        files: glob patterns of what is fetched; none takes all that a model in torch needs.
        last: the file that is fetched last, where `files` are named: what has it has all.
        revision: a branch, tag or commit; None is the main branch.
        code: whether Python files are fetched, too.
    """

    repository: str
    files: tuple[str, ...] = ()
    last: str = ""
    revision: str | None = None
    code: bool = False


@dataclass(frozen=True)
class EncoderSpec:
    """Facts about an encoder that are known before it is loaded; the first two are needed.

    Attributes:
        name: what people type, for example `compact`.
        dim: length of an embedding.
        title: one line for people.
        recommended_for: what one chooses it for, a few words.
        parameters: number of trained values.
        download_bytes: what would be fetched on first use; 0 when it ships with the project.
        licence: licence of the weights.
        source: where the weights come from.
        hub: its files, None when it ships with the project or has `folders`.
        folders: repositories that it reads whole instead: one, or one for images and one for texts.
        knows: the pictures that it was made for, "" for pictures of anything.
        memory_bytes: peak of a process that encodes by it, store aside; 0 where not measured.
    """

    name: str
    dim: int
    title: str = ""
    recommended_for: str = ""
    parameters: int = 0
    download_bytes: int = 0
    licence: str = ""
    source: str = ""
    hub: HubFiles | None = None
    folders: tuple[HubFolder, ...] = ()
    memory_bytes: int = 0
    knows: str = ""


class Encoder(Protocol):
    """Turns images, texts and composed queries into unit vectors of one space.

    Nothing more is required of somebody's own encoder; `batch_of` and `files_of` read what else it
    may have. It is in eval mode and safe to share between threads.

    Attributes:
        spec: facts about the encoder.
        fingerprint: hex digest of weights and preprocessing; equal fingerprints give
            comparable embeddings.
        precision: "exact" (float32), or the name of a faster inexact arithmetic.
    """

    spec: EncoderSpec
    fingerprint: str
    precision: str

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


USUAL_BATCH = 16


def batch_of(encoder: Encoder) -> int:
    """Images that one call best gets: the encoder's `batch`, else `USUAL_BATCH`."""
    return int(getattr(encoder, "batch", USUAL_BATCH))


def encode_and_look(
    encoder: Encoder, images: Sequence[Image]
) -> tuple[Embeddings, NDArray[np.bool_] | None]:
    """Rows of images, and which of them are nothing that the encoder `knows`.

    The latter `(n,)`, or None where the encoder, which then has no `encode_and_look`, cannot tell.
    """
    look = getattr(encoder, "encode_and_look", None)
    if look is None:
        return encoder.encode_images(images), None
    found: tuple[Embeddings, NDArray[np.bool_] | None] = look(images)
    return found


def files_of(encoder: Encoder) -> tuple[str | None, str | None]:
    """The files or folders that a person named for weights and tokenizer: `weights`, `tokenizer`.

    None where they came with the project or from the hub, or the encoder has no such attribute.
    """
    return getattr(encoder, "weights", None), getattr(encoder, "tokenizer", None)


@dataclass(frozen=True)
class EncoderChoice:
    """Which encoder, and how it is loaded; equal choices give the same loaded encoder.

    Attributes:
        name: of an encoder there is, or `module:attribute` of one's own.
        weights: a checkpoint of one's own (for compact: a folder of graphs; for `fe:` the folder
            with the graph for images); None takes what ships with the project, else what is on
            this machine.
        tokenizer: a folder with its tokenizer (for `fe:` with the graph for texts, too); None
            likewise.
        device: "auto", "cpu", "cuda" or "mps"; compact always computes on the CPU.
        precision: "exact" (float32), "bf16", "fp16"; "auto" is exact on a CPU and half precision on
            a GPU, "fast" the quickest that this machine has.
        adapter: a fitted low-rank change of the encoder, None for none.
        weights_dir: folder with a folder an encoder of files that were put there by hand.
    """

    name: str
    weights: str | None = None
    tokenizer: str | None = None
    device: str = "auto"
    precision: str = "auto"
    adapter: str | None = None
    weights_dir: Path | None = None


@dataclass(frozen=True)
class EncoderFamily:
    """Encoders that are loaded alike: what a module of this package exports as `FAMILY`.

    Attributes:
        specs: the encoders.
        load: gives the encoder of a spec and a choice whose files are there: `weights` and
            `tokenizer` of an encoder with a download are the paths that were found.
        packages: what is needed beside the light installation, by the name of import.
        settle: the precision that a choice of "auto" or "fast" comes to on this machine.
        imports: imports all that loading imports; None for a family that takes too long to be
            loaded before somebody asks for it.
        prefix: what names of the family begin with, "" for one whose encoders `specs` lists. With
            `named`, more than those are there: every name with the prefix.
        named: the spec of a name with the prefix; raises UsageError where it is none.
        form: how such a name looks, and what it is good for, for people.
        runs_code: whether to load the encoder of this name may run code that is not Recompose's
            or its libraries': then only flags, settings and programs may name it.
        way_out: what a person can do where the packages are missing.
    """

    specs: tuple[EncoderSpec, ...]
    load: Callable[[EncoderSpec, EncoderChoice, "FoundFiles | None"], Encoder]
    packages: tuple[str, ...] = ()
    settle: Callable[[EncoderChoice], str] = lambda choice: "exact"
    imports: Callable[[], object] | None = None
    prefix: str = ""
    named: Callable[[str], EncoderSpec] | None = None
    form: tuple[str, str] = ("", "")
    runs_code: Callable[[str], bool] = lambda name: False
    way_out: WayOut = WayOut.FULL_INSTALLATION


class FoundFiles(NamedTuple):
    """Where an encoder's checkpoint and tokenizer are on this machine.

    Of an encoder with `folders`: the first and the last of them.
    """

    weights: Path
    tokenizer: Path


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
    if encoder.spec.name == index.encoder:
        raise EncoderMismatchError(
            f"The index {index.name!r} was made by other weights of the encoder {index.encoder} "
            f"({index.fingerprint[:8]}) than those that are here ({encoder.fingerprint[:8]}).",
            WayOut.ENCODE_ANEW,
        )
    raise EncoderMismatchError(
        f"The index {index.name!r} was made by the encoder {index.encoder} (weights "
        f"{index.fingerprint[:8]}), not by {encoder.spec.name} (weights "
        f"{encoder.fingerprint[:8]}). Use its own encoder, move the index to the other one, or "
        "build an index under another name."
    )


def precision_note(encoder: Encoder, index: MadeByEncoder) -> str | None:
    """What to tell a person whose encoder computes in another precision than the index's did."""
    if encoder.precision == index.precision:
        return None
    return (
        f"The index {index.name!r} was made in {index.precision} precision, this encoder computes "
        f"in {encoder.precision}: scores differ in the third digit, near neighbours may swap."
    )
