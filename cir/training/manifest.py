"""What made a set of graphs: `manifest.json` beside them."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from cir.training.products import ATTRIBUTES, Products

GRAPHS = ("image.onnx", "fusion.onnx", "tokenizer.json")
_PACKAGES = ("torch", "timm", "onnx", "tokenizers", "numpy", "pillow")


def data_hash(products: Products) -> str:
    """SHA-256 over ids, names, attributes and photo files."""
    digest = hashlib.sha256()
    for row, (key, name, photo) in enumerate(
        zip(products.ids, products.names, products.photos, strict=True)
    ):
        values = [int(products.codes[attribute][row]) for attribute in ATTRIBUTES]
        digest.update(json.dumps([key, name, values]).encode())
        digest.update(hashlib.sha256(photo.read_bytes()).digest())
    digest.update(json.dumps(products.values, sort_keys=True).encode())
    return digest.hexdigest()


def checksums(folder: Path) -> dict[str, str]:
    """File name -> SHA-256 of the graphs and the tokenizer in the folder."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in GRAPHS}


def write_manifest(
    folder: Path,
    *,
    data: str,
    settings: Mapping[str, object],
    metrics: Mapping[str, object],
    seconds: float,
) -> dict[str, object]:
    """Write `manifest.json` into the folder of graphs; returns what was written."""
    manifest: dict[str, object] = {
        "model": "compact",
        "data_sha256": data,
        "settings": dict(settings),
        "metrics": dict(metrics),
        "seconds": round(seconds),
        "packages": {name: version(name) for name in _PACKAGES},
        "sha256": checksums(folder),
    }
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return manifest
