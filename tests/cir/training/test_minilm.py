"""The pruned text model: what is kept, and that the fusion transformer computes as it did."""

import pytest

from tests.needs import needs

needs("all_minilm_l6_v2", "training needs requirements-dev.txt")

import torch  # noqa: E402

from cir.training.minilm import TextModel, read_minilm  # noqa: E402
from cir.training.model import Fusion, Shape  # noqa: E402


@pytest.fixture(scope="module")
def text_model() -> TextModel:
    return read_minilm(["turquoise gingham"], 48)


def test_common_and_needed_words_are_kept_and_the_rest_cut(text_model: TextModel) -> None:
    vocabulary = text_model.tokenizer.get_vocab()
    assert len(vocabulary) == len(text_model.weights["embeddings.word_embeddings.weight"]) < 20_000
    assert {"red", "stripes", "trousers", "turquoise"} <= vocabulary.keys()
    assert text_model.tokenizer.encode("in Turquoise!").tokens == ["in", "turquoise", "!", "[SEP]"]
    assert vocabulary["[PAD]"] == 0


def test_a_text_is_padded_and_cut(text_model: TextModel) -> None:
    short, long = text_model.tokenizer.encode_batch(["in red", "red " * 100])
    assert len(short.ids) == len(long.ids) == 48
    assert short.ids.count(0) == 45 and long.tokens[-1] == "[SEP]"


def test_bytes_of_words_are_close_to_the_embeddings(text_model: TextModel) -> None:
    fusion = Fusion(Shape(text_model.tokenizer.get_vocab_size(), 508)).eval()
    fusion.begin_with(text_model.weights)
    ids = torch.arange(4, 2000)
    wanted = text_model.weights["embeddings.word_embeddings.weight"][ids]
    near = torch.nn.functional.cosine_similarity(fusion.words(ids), wanted)
    assert near.min() > 0.999


def test_words_of_one_meaning_begin_closer_than_others(text_model: TextModel) -> None:
    fusion = Fusion(Shape(text_model.tokenizer.get_vocab_size(), 508)).eval()
    fusion.begin_with(text_model.weights)

    def row(word: str) -> torch.Tensor:
        ids = torch.tensor([text_model.tokenizer.encode(word).ids])
        return torch.nn.functional.normalize(fusion.words(ids)[0, 0], dim=0)

    with torch.inference_mode():
        assert row("crimson") @ row("scarlet") > row("crimson") @ row("trousers") + 0.1
