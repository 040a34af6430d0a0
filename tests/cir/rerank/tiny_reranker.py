"""A cross-encoder of a few thousand weights, in the layout of those on the hub."""

from pathlib import Path

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
    PreTrainedTokenizerFast(tokenizer_object=text, **names).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.5,
        num_labels=labels,
    )
    torch.manual_seed(0)
    (BertForSequenceClassification if head else BertModel)(config).save_pretrained(folder)
    return folder
