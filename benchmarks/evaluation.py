"""What does a run cost beside its parts: reading references, encoding queries, searching?

    python -m benchmarks.evaluation LABELLED_SET PHOTOS

Runs a native labelled set with its ablations over a gallery that is indexed already, beside a bare
loop of the same parts in the same batches, and prints the medians of several rounds of each,
alternating. Also times the measures over 4,181 rankings of 50 images, the size of CIRR.
"""

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from cir.encoders.registry import load_encoder
from cir.images import open_image
from cir.parallel import batched
from cir.search import MODES, Query, embed
from cir.settings import load_settings
from cir.store import gallery_store
from eval.evaluation.gallery import Gallery, open_folder
from eval.evaluation.ranking import BATCH
from eval.evaluation.running import Request, run
from eval.measures import DEPTH, MEASURES, judge, mean, parse_measure, score
from eval.sets.catalogue import load_set
from eval.sets.labelled import LabelledSet

ROUNDS = 3


def main() -> None:
    """Run the comparison."""
    folder, photos = map(Path, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as data:
        settings = replace(load_settings(data_dir=data), milvus_uri=None)
        request = Request(gallery=photos, ablations=True)
        labelled = load_set("native", folder)
        first = run(labelled, request, settings)["seconds"]["total"]
        gallery = open_folder(gallery_store(settings), photos, load_encoder(settings.encoder))
        whole, bare, beyond = [], [], []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            seconds = run(labelled, request, settings)["seconds"]
            whole.append(time.perf_counter() - started)
            inside = sum(seconds[part] for part in ("reading", "encoding", "search"))
            beyond.append(seconds["total"] / inside - 1)
            bare.append(_bare(labelled, gallery))
        ours, parts = statistics.median(whole), statistics.median(bare)
    print(f"{len(labelled.queries)} queries in {len(MODES)} ways, {len(gallery.paths)} images")
    print(f"first run, which indexes the gallery   {first:7.2f} s")
    print(f"run on the gallery as it is            {ours:7.2f} s")
    print(f"reading, encoding and search alone     {parts:7.2f} s")
    print(f"ratio                                  {ours / parts:7.3f}")
    print(f"by the run's own clocks, beyond those  {statistics.median(beyond):7.1%}")
    print(f"measures of 4,181 rankings of 50       {_measures():7.3f} s")


def _bare(labelled: LabelledSet, gallery: Gallery) -> float:
    started = time.perf_counter()
    for batch in batched(labelled.queries, BATCH):
        paths = {query.reference for query in batch}
        opened = {path: open_image(gallery.folder / path) for path in paths}
        queries = [Query(opened[query.reference], query.instruction) for query in batch]
        for mode in MODES:
            gallery.index.search_vectors(embed(gallery.encoder, queries, mode), DEPTH + 1)
    return time.perf_counter() - started


def _measures() -> float:
    random = np.random.default_rng(0)
    rankings = [[f"dev-{n}" for n in random.permutation(2297)[:50]] for _ in range(4181)]
    targets = [{ranked[3]: 1, "another": 1} for ranked in rankings]
    subsets = [ranked[:5] for ranked in rankings]
    names = [*(f"map@{k}" for k in (5, 10, 25, 50)), *(f"recall_subset@{k}" for k in (1, 2, 3))]
    measures = [*MEASURES, *map(parse_measure, names)]
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        mean(score(judge(rankings, targets, subsets=subsets), measures))
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
