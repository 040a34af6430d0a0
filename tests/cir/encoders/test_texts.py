"""Texts made fit for a tokenizer."""

import subprocess
import sys

import pytest

from cir.encoders.texts import clean


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
