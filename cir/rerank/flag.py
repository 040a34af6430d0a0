"""Text rerankers by FlagEmbedding: cross-encoders that read instruction and metadata together."""

import threading
from collections.abc import Sequence
from typing import Any

from PIL.Image import Image

from cir.errors import RerankError, UsageError
from cir.rerank.loading import first_line, loading, place_of
from cir.rerank.protocol import Candidate, Judged, RerankFamily
from cir.settings import Settings

_BATCH = 32
_LONGEST = 512  # tokens
_MODEL_CLASS = "encoder-only-base"
_PROBE = "Unpretentious houndstooth outerwear, navy-blue; 2 zips"
_GOES_WRONG = (AttributeError, IndexError, OSError, RuntimeError, TypeError, ValueError)
"""What FlagEmbedding and transformers raise: the library hides the model's own error behind one
of these after it has tried smaller batches."""


class FlagReranker:
    """A cross-encoder on one device."""

    def __init__(self, name: str, model: Any) -> None:
        self._name = name
        self._model = model
        self._lock = threading.Lock()

    def judge(
        self, instruction: str, reference: Image | None, candidates: Sequence[Candidate]
    ) -> Judged:
        """The model's logits for the pairs of instruction and text."""
        scores: list[float] = []
        try:
            with self._lock:
                for start in range(0, len(candidates), _BATCH):
                    texts = [each.text for each in candidates[start : start + _BATCH]]
                    pairs = [(instruction, text) for text in texts]
                    # A batch larger than the pairs keeps its progress bar off the terminal.
                    scores += self._model.compute_score(pairs, batch_size=_BATCH + 1)
        except _GOES_WRONG as error:
            raise RerankError(
                f"The second stage flag:{self._name} cannot score these images "
                f"({first_line(error)})."
            ) from error
        return Judged(scores)


def _load(name: str, settings: Settings) -> FlagReranker:
    from cir.encoders.on_torch.devices import pick_device, use_usable_cores
    from cir.encoders.on_torch.torchvision_compat import prepare_torchvision

    place, is_folder = place_of(name)
    prepare_torchvision()  # FlagEmbedding imports transformers, and that torchvision
    from FlagEmbedding import FlagAutoReranker
    from FlagEmbedding.inference.reranker.model_mapping import AUTO_RERANKER_MAPPING

    use_usable_cores()
    # The published ones know their kind; any other is a cross-encoder, or is refused below.
    known = not is_folder and name.rpartition("/")[2] in AUTO_RERANKER_MAPPING
    with loading(place, is_folder):
        device = pick_device(settings.device)
        model = FlagAutoReranker.from_finetuned(
            place,
            model_class=None if known else _MODEL_CLASS,
            use_fp16=device.type == "cuda",
            trust_remote_code=False,
            devices=[str(device)],  # one: several would each start a process
        )
    if not known:
        _check_head(place, model)
        mend_decoder(place, model.tokenizer)
        model.max_length = min(_LONGEST, _positions(model))
    return FlagReranker(name, model)


def _check_head(place: str, model: Any) -> None:
    """Refuse a model that would be loaded with a head of random weights, or with several scores."""
    heads = getattr(model.model.config, "architectures", None) or []
    if not any("ForSequenceClassification" in str(each) for each in heads):
        raise UsageError(
            f"{place} is no reranker: it has no head that scores pairs. Name a cross-encoder, or "
            "finetune this one."
        )
    if model.model.config.num_labels != 1:
        raise UsageError(
            f"{place} tells {model.model.config.num_labels} classes, and a reranker one score."
        )


def mend_decoder(place: str, tokenizer: Any) -> None:
    """Let a tokenizer give back its text: FlagEmbedding decodes tokens and reads them again.

    One whose file names no decoder would give other tokens the second time, and so other scores,
    without a word.
    """

    def again() -> bool:
        ids = tokenizer(_PROBE, add_special_tokens=False)["input_ids"]
        text = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        return bool(tokenizer(text, add_special_tokens=False)["input_ids"] == ids)

    if again():
        return
    from tokenizers import decoders

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None and type(backend.model).__name__ == "WordPiece":
        backend.decoder = decoders.WordPiece(cleanup=False)
    if not again():
        raise RerankError(f"The tokenizer of {place} cannot give back its text: it has no decoder.")


def _positions(model: Any) -> int:
    """How many tokens of a pair the model can tell apart."""
    config = model.model.config
    there = int(getattr(config, "max_position_embeddings", _LONGEST) or _LONGEST)
    padding = int(getattr(config, "pad_token_id", 0) or 0)
    # RoBERTa counts positions from behind that of the padding.
    return there - padding - 1 if "roberta" in str(config.model_type) else there


FAMILY = RerankFamily(
    prefix="flag",
    example="flag:BAAI/bge-reranker-v2-m3",
    does="a text reranker by FlagEmbedding, of the hub or in a folder",
    load=_load,
    opens_files=True,
    packages=("FlagEmbedding", "torch", "transformers"),
)
