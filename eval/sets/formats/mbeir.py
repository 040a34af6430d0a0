"""M-BEIR's CIRR and FashionIQ, as MTEB scores them: another number than the benchmarks' own.

`query/<split>/mbeir_<set>_task7_<split>.jsonl` holds an object a line: `qid`, `query_txt`,
`query_img_path`, `pos_cand_list` and perhaps `neg_cand_list` (ids of candidates, as texts or as
objects with `did`); `cand_pool/local/mbeir_<set>_task7_cand_pool.jsonl` holds `did` and `img_path`
of each image that is searched. Image paths begin with `mbeir_images/`; an image is known by its
file's name without the ending.

The whole pool is searched (of CIRR 21,551 images), the reference stays in the ranking, and
FashionIQ's categories are one set. MTEB reports nDCG@10, M-BEIR's authors recall@5 of CIRR and
recall@10 of FashionIQ.
Wei et al., ECCV 2024; https://huggingface.co/datasets/TIGER-Lab/M-BEIR
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cir.errors import UsageError
from eval.measures import MEASURES, DiscountedGain
from eval.sets.formats import Format
from eval.sets.formats.annotations import parse_json, stem, text, unique_ids
from eval.sets.labelled import LabelledQuery, LabelledSet, Protocol

FAMILY = "mbeir"
DEFAULT_SPLIT = "test"
SETS = ("cirr", "fashioniq")


def load_mbeir(root: Path, name: str, split: str | None = None) -> LabelledSet:
    """The queries of a split, over the local pool of their set.

    Args:
        root: M-BEIR's folder, or one that holds `query/` and `cand_pool/`.
        name: one of `SETS`.
        split: "test" if None; "val" or "train".

    Raises:
        UsageError: a file is missing or malformed; the message names it and the line.
    """
    split = split or DEFAULT_SPLIT
    asked = root / "query" / split / f"mbeir_{name}_task7_{split}.jsonl"
    pool = root / "cand_pool" / "local" / f"mbeir_{name}_task7_cand_pool.jsonl"
    digest = hashlib.sha256()
    images: dict[str, str] = {}
    gallery: dict[str, str] = {}
    for place, record in _records(pool, digest):
        did, image = text(record, "did", place), stem(text(record, "img_path", place))
        if did in images or image in gallery:
            raise UsageError(f"{place}: {did!r}, the image {image!r}, stands there twice.")
        images[did], gallery[image] = image, place
    found = [(place, record) for place, record in _records(asked, digest)]
    queries = tuple(_query(record, place, images, pool) for place, record in found)
    if not queries:
        raise UsageError(f"{asked} holds no query.")
    unique_ids([(query.id, place) for query, (place, _) in zip(queries, found, strict=True)])
    return LabelledSet(
        name=f"{FAMILY}-{name}",
        split=split,
        queries=queries,
        fingerprint=digest.hexdigest(),
        format=FORMAT,
        gallery=gallery,
    )


def _records(path: Path, digest: "hashlib._Hash") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Place and object of each line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error}).") from error
    digest.update(data)
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            place = f"{path}, line {number}"
            record = parse_json(line, place)
            if not isinstance(record, dict):
                raise UsageError(f"{place}: not a JSON object.")
            yield place, record


def _query(
    record: Mapping[str, Any], place: str, images: Mapping[str, str], pool: Path
) -> LabelledQuery:
    reference = stem(text(record, "query_img_path", place))
    targets = _candidates(record, "pos_cand_list", place, images, pool)
    if not targets:
        raise UsageError(f"{place}: 'pos_cand_list' names no candidate.")
    negatives = _candidates(record, "neg_cand_list", place, images, pool)
    return LabelledQuery(
        id=text(record, "qid", place),
        reference=reference,
        instruction=text(record, "query_txt", place),
        targets=dict.fromkeys(targets, 1),
        places=dict.fromkeys([reference, *targets], place),
        negatives=tuple(image for image in negatives if image not in targets),
    )


def _candidates(
    record: Mapping[str, Any], key: str, place: str, images: Mapping[str, str], pool: Path
) -> list[str]:
    given = record.get(key) or []
    if not isinstance(given, list):
        raise UsageError(f"{place}: {key!r} is not a list of candidates.")
    names = [each.get("did") if isinstance(each, dict) else each for each in given]
    other = next((name for name in names if not isinstance(name, str) or name not in images), None)
    if other is not None or None in names:
        raise UsageError(f"{place}: {key!r} names {other!r}, which is not in {pool}.")
    return [images[name] for name in dict.fromkeys(names)]


def _load(name: str, root: Path, split: str | None, options: Mapping[str, bool]) -> LabelledSet:
    return load_mbeir(root, name.removeprefix(f"{FAMILY}-"), split)


FORMAT = Format(
    title="M-BEIR",
    names=tuple(f"{FAMILY}-{name}" for name in SETS),
    published="2023-11",
    protocol=Protocol(measures=(DiscountedGain(10), *MEASURES), keep_reference=True, image_id=stem),
    load=_load,
)
