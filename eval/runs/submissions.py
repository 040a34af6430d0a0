"""Submission files for the test servers of CIRR and CIRCO, made from a run.

CIRR: two files, `{"version": "rc2", "metric": "recall" | "recall_subset", pairid: [names]}`, the
first 50 and, of the members alone, the first 3 (https://cirr.cecs.anu.edu.au). CIRCO: one file,
`{id: [50 image numbers]}` (https://circo.micc.unifi.it).
"""

import json
from collections.abc import Mapping
from pathlib import Path

from cir.errors import RecomposeError, UsageError
from eval.runs.rankings import read_trec
from eval.runs.ranks import COMPOSED
from eval.runs.reading import Run
from eval.runs.writing import SUBSET
from eval.sets.catalogue import FORMATS, protocol_of
from eval.sets.labelled import CIRCO, CIRR, Protocol

_DEPTH, _SUBSET_DEPTH = 50, 3


def has_submission(run: Run) -> bool:
    """Whether the run's labelled set has a test server."""
    return _protocol(run) in {CIRR, CIRCO}


def submission(run: Run, mode: str = COMPOSED) -> dict[str, str]:
    """The submission files of a run: name and content.

    Raises:
        UsageError: the run is not of CIRR or CIRCO, or its rankings are not there or too short.
    """
    protocol = _protocol(run)
    if protocol is None or not has_submission(run) or run.folder is None:
        raise UsageError(
            f"{run.name} is no run of CIRR or CIRCO on disk: only these take submissions."
        )
    ranked = _ranked(run.folder / f"{mode}.trec", protocol, _DEPTH)
    if protocol is CIRCO:
        short = [query for query, images in ranked.items() if len(images) < _DEPTH]
        if short:
            raise UsageError(
                f"CIRCO's server takes {_DEPTH} images a query; {short[0]!r} has "
                f"{len(ranked[short[0]])}: the gallery is too small."
            )
        numbers = {query: list(map(int, images)) for query, images in ranked.items()}
        return {"circo.json": json.dumps(numbers)}
    among = _ranked(run.folder / f"{mode}.{SUBSET}.trec", protocol, _SUBSET_DEPTH)
    return {
        f"cirr-{metric}.json": json.dumps({"version": "rc2", "metric": metric, **lists})
        for metric, lists in (("recall", ranked), ("recall_subset", among))
    }


def write_submission(run: Run, folder: Path) -> list[Path]:
    """Write the submission files of a run into a folder; gives their paths.

    Raises:
        UsageError: as `submission`, or a file of this name is there.
        RecomposeError: the disk refuses.
    """
    files = {folder / name: content for name, content in submission(run).items()}
    taken = [path for path in files if path.exists()]
    if taken:
        raise UsageError(f"{taken[0]} is there already: name another folder with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            partial = path.with_name(f".{path.name}.partial")
            partial.write_text(content, encoding="utf-8")
            partial.rename(path)
    except OSError as error:
        raise RecomposeError(
            f"The submission could not be written to {folder} ({error.strerror or error})."
        ) from error
    return list(files)


def _protocol(run: Run) -> Protocol | None:
    name = run.part("settings").get("format")
    return protocol_of(name) if name in FORMATS else None


def _ranked(path: Path, protocol: Protocol, depth: int) -> Mapping[str, list[str]]:
    return {
        query: [protocol.image_id(image) for image in images[:depth]]
        for query, images in read_trec(path).items()
    }
