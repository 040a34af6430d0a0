"""Texts as people send them, made fit for a tokenizer."""


def clean(text: str) -> str:
    """The text without broken characters, trimmed.

    Text that went through the wrong encoding ("trÃ¨s") is mended by ftfy; bytes that never were
    text, which the command line hands on as lone surrogates, become question marks.
    """
    text = text.encode("utf-8", "replace").decode("utf-8").strip()
    if text.isascii() and "&" not in text:
        return text  # nothing to mend, and ftfy is not imported
    import ftfy

    return ftfy.fix_text(text).strip()
