"""Sizes, durations and names for people."""


def size(count: int) -> str:
    """Bytes for people, in decimal units: "0.4 MB", "393 MB", "2.3 GB"."""
    if count >= 999_500_000:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.{0 if count >= 9_950_000 else 1}f} MB"


def duration(seconds: float | None) -> str:
    """Seconds for people: "8 s", "3 min", "2 h 5 min"; "?" for None."""
    if seconds is None:
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def printable(text: str) -> str:
    """The text on one line that any terminal can show."""
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")
