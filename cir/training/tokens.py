"""The compact encoder's tokenizer, trained on product names and instructions."""

from collections.abc import Iterable

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

VOCABULARY = 4000


def train_tokenizer(texts: Iterable[str], text_length: int) -> Tokenizer:
    """A lower-casing WordPiece tokenizer: no [CLS], [SEP] at the end, id 0 is padding.

    Every character of the texts and all of printable ASCII are in the vocabulary.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ascii_characters = [chr(code) for code in range(33, 127)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["[PAD]", "[UNK]", "[SEP]"],
        initial_alphabet=ascii_characters,
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A [SEP]", special_tokens=[("[SEP]", tokenizer.token_to_id("[SEP]"))]
    )
    tokenizer.enable_truncation(text_length)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    return tokenizer
