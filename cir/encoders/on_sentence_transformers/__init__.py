"""Any image-text model that sentence-transformers loads: `st:OWNER/NAME`, or `st:FOLDER`.

sentence-transformers 5.4 and later give one interface to models with two towers (CLIP, SigLIP) and
to those that read picture and text together (Qwen3-VL-Embedding, GME, BGE-VL-MLLM and others).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from cir.encoders import on_torch
from cir.encoders.protocol import (
    Encoder,
    EncoderChoice,
    EncoderFamily,
    EncoderSpec,
    FoundFiles,
    HubFolder,
)
from cir.errors import EncoderError, UsageError

PREFIX = "st:"
FORM = "st:OWNER/NAME[@REVISION]"
_REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_PROMPT, _DIM, _CODE = ",prompt=", ",truncate_dim=", ",trust_remote_code"


@dataclass(frozen=True)
class Named:
    """What a name of this family says.

    Attributes:
        repository: on the hub, "" for a folder. revision: of it, None for the main branch.
        folder: on this machine, None for a repository.
        truncate_dim: length that embeddings are cut to, None for all.
        trust_remote_code: whether the repository's own code may run.
        prompt: what stands before queries, None for the model's own.
    """

    repository: str
    revision: str | None
    folder: Path | None
    truncate_dim: int | None
    trust_remote_code: bool
    prompt: str | None

    @classmethod
    def read(cls, name: str) -> "Named":
        """Read a name: `st:WHAT[,truncate_dim=N][,trust_remote_code][,prompt=TEXT]`.

        WHAT is `OWNER/NAME[@REVISION]`, or a folder's path that begins with a dot, slash or tilde.

        Raises:
            UsageError: it is no such name.
        """
        head, prompted, prompt = name.removeprefix(PREFIX).partition(_PROMPT)
        head, cut, told = head.partition(_DIM)
        number, more, _ = told.partition(_CODE)
        code = bool(more) or head.endswith(_CODE)
        head = head.removesuffix(_CODE)
        if cut and not (number.isascii() and number.isdigit() and int(number)):
            raise UsageError(f"truncate_dim is a whole number above 0, not {number!r}.")
        dim = int(number) if cut else None
        said = prompt if prompted else None
        if head.startswith((".", "/", "~")):
            return cls("", None, Path(head).expanduser().resolve(), dim, code, said)
        found = _REPOSITORY.fullmatch(head)
        if found is None:
            raise UsageError(
                f"{name!r} names no model of sentence-transformers: those are {FORM}, or "
                "st:./FOLDER, with ,truncate_dim=N ,trust_remote_code and ,prompt=TEXT behind it, "
                "in this order."
            )
        return cls(found[1], found[2], None, dim, code, said)

    @property
    def name(self) -> str:
        """The name in the form in which an index and a run keep it."""
        revision = f"@{self.revision}" if self.revision else ""
        return "".join(
            (
                PREFIX,
                str(self.folder) if self.folder else f"{self.repository}{revision}",
                f"{_DIM}{self.truncate_dim}" if self.truncate_dim else "",
                _CODE if self.trust_remote_code else "",
                f"{_PROMPT}{self.prompt}" if self.prompt is not None else "",
            )
        )


def _spec(name: str) -> EncoderSpec:
    named = Named.read(name)
    folders = (
        ()
        if named.folder
        else (HubFolder(named.repository, revision=named.revision, code=named.trust_remote_code),)
    )
    return EncoderSpec(
        name=named.name,
        dim=named.truncate_dim or 0,
        title=f"{named.folder or named.repository} by sentence-transformers",
        recommended_for="what its model card says",
        source=str(named.folder or named.repository),
        folders=folders,
    )


def _load(spec: EncoderSpec, choice: EncoderChoice, files: FoundFiles | None) -> Encoder:
    if choice.weights or choice.tokenizer:
        raise EncoderError(
            f"The encoder {spec.name} takes no weights and no tokenizer beside its name: a folder "
            "is named as st:FOLDER."
        )
    from cir.encoders.on_sentence_transformers.encoder import SentenceTransformersEncoder

    return SentenceTransformersEncoder(spec, Named.read(spec.name), files, choice)


def _runs_code(name: str) -> bool:
    """A folder of this machine is not for others to name, and may hold more than its weights."""
    try:
        named = Named.read(name)
    except UsageError:
        return False
    return named.folder is not None or named.trust_remote_code


FAMILY = EncoderFamily(
    (),
    _load,
    (*on_torch.PACKAGES, "sentence_transformers"),
    on_torch.settle,
    prefix=PREFIX,
    named=_spec,
    form=(
        FORM,
        "any image-text model of the hub by sentence-transformers",
    ),
    runs_code=_runs_code,
)
