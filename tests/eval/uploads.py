"""Runs and zips as somebody might upload them."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

FIGURES = {"recall@1": 0.5, "recall@5": 0.5, "recall@10": 1.0, "recall@50": 1.0, "mrr": 0.6}
DOCUMENT: dict[str, Any] = {
    "set": "dev",
    "encoder": "compact",
    "queries": 2,
    "metrics": FIGURES,
    "modes": {"composed": FIGURES, "sum": {**FIGURES, "recall@10": 0.5}},
    "groups": {"colour": {"queries": 1, **FIGURES}},
    "date": "2026-01-02T03:04:05+00:00",
}
TABLE = "id,group,composed,sum\na,colour,1,2\nb,type,6,\n"


def document(**changes: Any) -> bytes:
    """`run.json` with these changes; a value of None takes the key away."""
    merged = {key: value for key, value in (DOCUMENT | changes).items() if value is not None}
    return json.dumps(merged).encode()


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
