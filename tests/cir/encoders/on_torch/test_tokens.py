"""Tokenizers of local folders."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from cir.encoders.on_torch.tokens import TextTokens, cut, padded
from cir.errors import EncoderError
from tests.places import GOLDEN

FOLDER = GOLDEN / "tiny-base-tokenizer"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokens() -> TextTokens:
    return TextTokens(FOLDER)


def test_marks_are_at_the_ends(tokens: TextTokens) -> None:
    (start, *words, end), empty, blank = tokens.ids(["tok200 TOK201", "", " \n "])
    assert len(words) == 2 and words[1] == words[0] + 1
    assert empty == blank == [start, end]


def test_nothing_is_cut_or_padded_by_the_tokenizer(tokens: TextTokens) -> None:
    long, short = tokens.ids([" ".join(["tok200"] * 1000), "tok200"])
    assert (len(long), len(short)) == (1002, 3)


def test_broken_text_is_mended_before_it_is_read(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "café", "a", "##ƒ", "##©"]
    for name in ("config.json", "tokenizer_config.json"):
        text = (FOLDER / name).read_text()
        (tmp_path / name).write_text(
            text.replace('"do_lower_case": true', '"strip_accents": false')
        )
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokens = TextTokens(tmp_path)
    whole, mojibake = tokens.ids(["café", "cafÃ©"])
    assert whole == mojibake == [2, words.index("café"), 3]


def test_threads_may_share_it(tokens: TextTokens) -> None:
    texts = [" ".join(["tok210"] * count) for count in range(60)]
    alone = [tokens.ids([text])[0] for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda at: tokens.ids([texts[at % 60]])[0], range(600)))
    assert together == alone * 10


def test_other_words_have_another_digest(tokens: TextTokens, tmp_path: Path) -> None:
    for path in FOLDER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert TextTokens(tmp_path).digest == tokens.digest
    text = (FOLDER / "vocab.txt").read_text()
    (tmp_path / "vocab.txt").write_text(text.replace("tok200\n", "word\n"))
    assert TextTokens(tmp_path).digest != tokens.digest


def test_a_checkpoint_must_know_every_token(tokens: TextTokens) -> None:
    tokens.require_vocabulary(512, Path("x.pth"))
    with pytest.raises(EncoderError, match=r"knows 512 tokens, the checkpoint x\.pth only 511"):
        tokens.require_vocabulary(511, Path("x.pth"))


def test_a_folder_without_a_tokenizer_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="holds no tokenizer that can be read"):
        TextTokens(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(EncoderError, match="holds no tokenizer that can be read"):
        TextTokens(tmp_path)
    with pytest.raises(EncoderError, match="There is no tokenizer folder"):
        TextTokens(tmp_path / "none")


def test_cut_keeps_the_mark_at_the_end() -> None:
    assert cut([1, 5, 6, 7, 2], 4) == [1, 5, 6, 2]
    assert cut([1, 5, 2], 3) == [1, 5, 2]
    assert cut([1, 2], 9) == [1, 2]


def test_rows_are_padded_on_the_right() -> None:
    ids, seen = padded([[1, 5, 2], [1, 2]], 9, CPU)
    assert ids.tolist() == [[1, 5, 2], [1, 2, 9]]
    assert seen is not None and seen.tolist() == [[True, True, True], [True, True, False]]
    ids, seen = padded([[1, 2], [1, 3]], 9, CPU)
    assert ids.tolist() == [[1, 2], [1, 3]] and seen is None
