"""Multimodal cross-encoders by sentence-transformers: they see reference and candidate together."""

import io
import threading
from collections.abc import Sequence
from typing import Any

from PIL import Image as Images
from PIL.Image import Image

from cir.errors import RerankError, UsageError
from cir.rerank.loading import first_line, loading, place_of
from cir.rerank.protocol import Candidate, Judged, RerankFamily
from cir.settings import Settings

_BATCH = 4
_HEADS = ("ForSequenceClassification", "ForCausalLM", "ForConditionalGeneration")


class CrossEncoder:
    """A cross-encoder on one device; of a text model, the pictures are left out."""

    def __init__(self, name: str, model: Any) -> None:
        self._name = name
        self._model = model
        self._sees = bool(model.supports(("image", "text")) or model.supports("image"))
        self._lock = threading.Lock()

    def judge(
        self, instruction: str, reference: Image | None, candidates: Sequence[Candidate]
    ) -> Judged:
        """The model's logits for the pairs of reference with instruction and candidate."""
        from torch.nn import Identity

        asked = self._side(instruction, reference)
        pairs = [(asked, self._side(each.text, _opened(each.jpeg))) for each in candidates]
        try:
            with self._lock:
                scores = self._model.predict(
                    pairs, batch_size=_BATCH, show_progress_bar=False, activation_fn=Identity()
                )
        except Exception as error:  # processors of published models raise anything
            raise RerankError(
                f"The second stage st:{self._name} cannot score these images ({first_line(error)})."
            ) from error
        return Judged([float(score) for score in scores])

    def _side(self, text: str, image: Image | None) -> dict[str, Any] | str:
        """One side of a pair; the order of its keys is that in which the model reads.

        A bare text that looks like a path or an address is opened by a model that sees pictures;
        one that does not takes nothing else.
        """
        if not self._sees:
            return text
        parts: dict[str, Any] = {}
        if image is not None:
            parts["image"] = image
        if text or not parts:
            parts["text"] = text
        return parts


def _opened(jpeg: bytes | None) -> Image | None:
    if jpeg is None:
        return None
    try:
        return Images.open(io.BytesIO(jpeg)).convert("RGB")
    except OSError:  # others may write to a shared Milvus
        return None


def _load(name: str, settings: Settings) -> CrossEncoder:
    from cir.encoders.on_torch.devices import pick_device, use_usable_cores
    from cir.encoders.on_torch.torchvision_compat import prepare_torchvision

    place, is_folder = place_of(name)
    prepare_torchvision()
    from sentence_transformers import CrossEncoder as Model
    from sentence_transformers.base.modules import Transformer

    use_usable_cores()
    with loading(place, is_folder):
        device = pick_device(settings.device)
        model = Model(place, device=str(device), trust_remote_code=False)
    heads = getattr(model.config, "architectures", None) or []
    if not any(each.endswith(_HEADS) for each in map(str, heads)):
        raise UsageError(
            f"{place} is no reranker: it has no head that scores pairs. Name a cross-encoder."
        )
    if model.num_labels not in {None, 1} and isinstance(model[-1], Transformer):
        raise UsageError(f"{place} tells {model.num_labels} classes, and a reranker one score.")
    return CrossEncoder(name, model)


FAMILY = RerankFamily(
    prefix="st",
    example="st:Qwen/Qwen3-VL-Reranker-2B",
    does="a multimodal cross-encoder by sentence-transformers, of the hub or in a folder",
    load=_load,
    reads_text=False,
    reads_pictures=True,
    opens_files=True,
    packages=("sentence_transformers", "torch", "transformers"),
)
