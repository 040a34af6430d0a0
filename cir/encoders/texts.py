"""Texts as people send them, made fit for a tokenizer."""

MAX_CHARACTERS = 10_000
"""Beyond them nothing of a text is looked at: no encoder here reads so much as an instruction."""


def shortened(text: str) -> str:
    """The text without surrounding white space, cut after `MAX_CHARACTERS`.

    What mends and tokenizes a text takes seconds for a megabyte: it gets no more than this.
    """
    return text.strip()[:MAX_CHARACTERS]


def is_shortened(text: str) -> bool:
    """Whether `shortened` leaves out the text's end."""
    return len(text.strip()) > MAX_CHARACTERS


def clean(text: str) -> str:
    """The text without broken characters, trimmed and `shortened`.

    Text that went through the wrong encoding ("trÃ¨s") is mended by ftfy; bytes that never were
    text, which the command line hands on as lone surrogates, become question marks.
    """
    text = shortened(text).encode("utf-8", "replace").decode("utf-8")
    if text.isascii() and "&" not in text:
        return text  # nothing to mend, and ftfy is not imported
    import ftfy

    return ftfy.fix_text(text).strip()
