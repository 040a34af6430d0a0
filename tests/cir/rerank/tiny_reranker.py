"""A cross-encoder of a few thousand weights, in the layout of those on the hub."""

from pathlib import Path
from typing import Any

from cir.encoders.on_torch.torchvision_compat import prepare_torchvision

WORDS = ("red", "blue", "green", "a", "picture", "in", "shirt", "##s", "##e", "##d")
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_reranker(
    folder: Path, *, labels: int = 1, head: bool = True, decoder: bool = True
) -> Path:
    """Write model and tokenizer; weights are random and the same each time.

    Args:
        labels: scores that it gives a pair.
        head: whether it has a head that scores pairs.
        decoder: whether the tokenizer's file names one.
    """
    prepare_torchvision()
    import torch
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        BertModel,
        PreTrainedTokenizerFast,
    )

    letters = [f"{mark}{chr(code)}" for mark in ("", "##") for code in range(33, 127)]
    vocabulary = {word: at for at, word in enumerate(dict.fromkeys((*_SPECIAL, *WORDS, *letters)))}
    text = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    text.normalizer = normalizers.BertNormalizer(lowercase=True)
    text.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    text.post_processor = processors.BertProcessing(
        ("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])
    )
    if decoder:
        text.decoder = decoders.WordPiece(cleanup=False)
    names = {f"{name.strip('[]').lower()}_token": name for name in _SPECIAL}
    untyped: Any = PreTrainedTokenizerFast
    untyped(tokenizer_object=text, **names).save_pretrained(folder)
    make_config: Any = BertConfig
    config = make_config(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.5,
        hidden_dropout_prob=0.0,  # so few weights learn little with it
        attention_probs_dropout_prob=0.0,
        num_labels=labels,
    )
    torch.manual_seed(0)
    (BertForSequenceClassification if head else BertModel)(config).save_pretrained(folder)
    return folder


def write_multimodal(folder: Path) -> Path:
    """A cross-encoder over a Qwen2-VL, which scores by the letters y and n: as Qwen3-VL-Reranker
    does by yes and no."""
    prepare_torchvision()
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.cross_encoder.modules import LogitScore
    from transformers import AutoProcessor, Qwen2VLConfig, Qwen2VLForConditionalGeneration

    from tests.cir.encoders.tiny_models import write_joint

    tower = folder / "tower"
    write_joint(tower)
    torch.manual_seed(0)
    model = Qwen2VLForConditionalGeneration(Qwen2VLConfig.from_pretrained(tower))
    model.save_pretrained(tower)
    untyped: Any = AutoProcessor
    letters = untyped.from_pretrained(tower).tokenizer
    yes, no = letters.convert_tokens_to_ids(["y", "n"])
    first = Transformer(str(tower), transformer_task="any-to-any")
    CrossEncoder(modules=[first, LogitScore(yes, no)], device="cpu").save_pretrained(
        str(folder / "model")
    )
    return folder / "model"
