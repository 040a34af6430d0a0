"""Texts made fit for a tokenizer."""

import subprocess
import sys
import time
from typing import cast

import numpy as np
import pytest

import cir
from cir.encoders.texts import MAX_CHARACTERS, clean
from cir.search import Query, is_cut


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("in red", "in red"),
        ("  in red \n", "in red"),
        ("", ""),
        (" \t", ""),
        ("trÃ¨s longue", "très longue"),
        ("with a â€œlogoâ€\x9d", 'with a "logo"'),
        ("black &amp; white", "black & white"),
        ("a & b", "a & b"),
        ("赤い", "赤い"),
        ("in \udcffred", "in ?red"),
    ],
)
def test_broken_characters_are_mended(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_plain_text_does_not_import_ftfy() -> None:
    code = (
        "import sys\n"
        "from cir.encoders.texts import clean\n"
        "clean('in red')\n"
        "print('ftfy' in sys.modules)\n"
        "clean('tr\\u00c3\\u00a8s')\n"
        "print('ftfy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


MEGABYTE = {
    "words": "make it red " * 87_382,
    "letters outside ASCII": "é " * 500_000,
    "mixed up encodings": "trÃ¨s " * 170_000,
    "character references": "&amp;" * 200_000,
    "one word": "a" * 1_000_000,
    "marks in the wrong order": "a" + "\u0301" * 500_000 + "\u0327" * 500_000,
    "white space": " " * 1_000_000 + "red",
}


@pytest.mark.parametrize("name", MEGABYTE)
def test_a_megabyte_of_text_costs_no_more_than_what_is_read_of_it(name: str) -> None:
    encoder = cir.load_encoder("compact")
    text = MEGABYTE[name]
    encoder.encode_texts(["é"])  # imports
    started = time.process_time()
    row = encoder.encode_texts([text])
    cut = encoder.truncates([text])
    assert time.process_time() - started < 2.5  # marks take a second of it, the others a tenth
    assert cut == [name != "white space"]
    assert np.allclose(row, encoder.encode_texts([text.strip()[:MAX_CHARACTERS]]))


def test_a_query_is_cut_for_every_encoder_and_says_so() -> None:
    class Own:
        def truncates(self, texts: list[str]) -> list[bool]:
            assert len(texts[0]) <= MAX_CHARACTERS
            return [False]

    own = cast(cir.Encoder, Own())
    assert is_cut(own, Query(instruction="x" * 10**7))
    assert not is_cut(own, Query(instruction=" " * 10**6 + "in red"))
    assert not is_cut(own, Query())
