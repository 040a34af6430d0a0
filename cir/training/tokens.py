"""The compact encoder's tokenizer, made from product names and instructions."""

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

VOCABULARY = 4000
PAD, UNKNOWN, END = "[PAD]", "[UNK]", "[SEP]"


def make_tokenizer(texts: Iterable[str], text_length: int) -> Tokenizer:
    """A lower-casing WordPiece tokenizer: no [CLS], [SEP] at the end, id 0 is padding.

    The vocabulary is every printable ASCII character, alone and as a continuation, then the most
    frequent words. An unknown word is cut into the longest known beginning and letters, so that
    "tees" still begins with "tee". The library's own trainer breaks ties in no fixed order and
    would give another vocabulary each time.
    """
    normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    characters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    vocabulary = [PAD, UNKNOWN, END, *characters, *(f"##{each}" for each in characters)]
    words = sorted(counts, key=lambda word: (-counts[word], word))
    vocabulary += [word for word in words if counts[word] > 1 and len(word) > 1]
    ids = {token: number for number, token in enumerate(vocabulary[:VOCABULARY])}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, ids[END])]
    )
    tokenizer.enable_truncation(text_length)
    tokenizer.enable_padding(pad_id=ids[PAD], pad_token=PAD)
    return tokenizer
