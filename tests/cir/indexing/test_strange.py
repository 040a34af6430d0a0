"""What is told of pictures that the encoder does not know."""

from pathlib import Path

import numpy as np
import pytest

from cir.encoders.compact.encoder import FILES, FOLDER, CompactEncoder
from cir.encoders.protocol import encode_and_look
from cir.encoders.registry import encoder_specs, general_encoder
from cir.indexing.folder import IngestReport, ingest
from cir.indexing.strange import LEAST, strange_note
from cir.settings import Settings
from cir.store import MilvusStore
from tests.drawn import COLOURS, draw_album, solid, striped
from tests.own_encoder import MeanColour


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(None, None, tmp_path, "compact")


def report(strange: int, looked_at: int = 20, encoder: str = "compact") -> IngestReport:
    return IngestReport("holidays", encoder, looked_at=looked_at, strange=strange)


def test_fields_and_stripes_are_strange_to_compact_and_rows_stay(compact: CompactEncoder) -> None:
    pictures = [*map(solid, COLOURS), *map(striped, COLOURS)]
    rows, strange = compact.encode_and_look(pictures)
    assert strange is not None and strange.all()
    assert np.array_equal(rows, compact.encode_images(pictures))
    none, nothing = compact.encode_and_look([])
    assert none.shape == (0, 512) and nothing is not None and nothing.shape == (0,)


def test_graphs_without_a_manifest_and_other_encoders_do_not_tell(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).symlink_to(FOLDER / name)
    rows, strange = encode_and_look(CompactEncoder(tmp_path), [solid("red")])
    assert rows.shape == (1, 512) and strange is None
    rows, strange = encode_and_look(MeanColour(), [solid("red")])
    assert rows.shape == (1, 4) and strange is None


def test_a_new_index_counts_them_and_an_update_does_not(
    local_store: MilvusStore, compact: CompactEncoder, tmp_path: Path
) -> None:
    folder = draw_album(tmp_path / "album")
    first = ingest(local_store, folder, "strange pictures", compact)
    assert first.looked_at == first.strange == first.added >= LEAST
    (folder / "one more.png").write_bytes((folder / "red.png").read_bytes() + b" ")
    again = ingest(local_store, folder, "strange pictures", compact)
    assert (again.added, again.looked_at, again.strange) == (1, 0, 0)


def test_what_compact_does_and_what_else_there_is_are_told(settings: Settings) -> None:
    note = strange_note(report(15), settings)
    assert note is not None
    text, offered = note
    assert "15 of the 20 pictures look like none of the garments and accessories" in text
    assert "by colour and likeness alone" in text
    spec = encoder_specs()[offered]
    assert f"{offered} knows pictures of anything" in text and not spec.knows


@pytest.mark.parametrize(
    "quiet",
    [report(10), report(0), report(LEAST - 1, LEAST - 1), report(20, encoder="my own")],
)
def test_nothing_is_said_where_there_is_nothing_to_say(
    quiet: IngestReport, settings: Settings
) -> None:
    assert strange_note(quiet, settings) is None


def test_the_offer_is_the_cheapest_that_can_be_had(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheapest = next(spec for spec in encoder_specs().values() if not spec.knows)
    missing: list[str] = []
    monkeypatch.setattr("cir.encoders.registry._missing", lambda family: missing)
    monkeypatch.setattr("cir.encoders.weights._cached", lambda *_: None)
    monkeypatch.setattr("cir.encoders.weights._folder_here", lambda *_: None)
    assert general_encoder(settings) == cheapest
    missing.append("torch")
    found = strange_note(report(15), settings)
    assert found is not None and "more packages and a download of" in found[0]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert general_encoder(settings) is None
    offline = strange_note(report(15), settings)
    assert offline is not None and offline[1] == "" and "colour and likeness" in offline[0]
