"""The gallery of an evaluation, made by the ordinary ingest."""

from pathlib import Path

import pytest

from cir.encoders.compact.encoder import CompactEncoder
from cir.progress import Progress
from cir.store import MilvusStore
from eval.evaluation.gallery import open_folder
from tests.cir.album import CountingEncoder


def test_a_gallery_that_was_stopped_keeps_what_was_encoded(
    tmp_path: Path, gallery: Path, compact: CompactEncoder
) -> None:
    store = MilvusStore(str(tmp_path / "galleries.db"), data_dir=tmp_path)
    encoder = CountingEncoder(compact)
    encoder.batch = 2
    told: list[Progress] = []

    def stop(progress: Progress) -> None:
        told.append(progress)
        if encoder.encoded >= 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        open_folder(store, gallery, encoder, stop)
    assert told[-1].done == encoder.encoded == 4
    assert len(open_folder(store, gallery, encoder).paths) == encoder.encoded == 12
    store.close()
