"""The tutorial runs as it stands, with small encoders."""

from pathlib import Path

import pytest
from PIL import Image

from examples.tutorial import SIDE, main
from tests.drawn import draw_album
from tests.needs import needs
from tests.places import GOLDEN

TINY = (
    *("--weights", str(GOLDEN / "tiny-base.pth")),
    *("--tokenizer", str(GOLDEN / "tiny-base-tokenizer")),
)
"""A small checkpoint of the encoder that the tutorial loads."""


@pytest.mark.parametrize("options", [TINY, ("--encoder", "compact")], ids=["tiny", "compact"])
def test_the_tutorial_shows_nine_results(
    options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if options is TINY:
        needs("torch", "Visualized BGE needs torch: install requirements.txt.")
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    album = draw_album(tmp_path / "album", kinds=2)
    (album / "broken.jpg").write_bytes(b"no picture")
    main([str(album), str(album / "red.png"), "in blue", *options])
    told = capsys.readouterr().out
    assert "Images in the index: 12" in told and "Left out: broken.jpg" in told
    found = [line.split("  ")[1] for line in told.splitlines() if line.endswith(".png")]
    assert len(found) == 9 and "red.png" not in found  # a picture is no result of its own
    with Image.open("results.jpg") as sheet:
        assert sheet.size == (4 * SIDE, 3 * SIDE)
        red, green, blue = sheet.convert("RGB").getpixel((SIDE // 2, SIDE // 2))  # type: ignore[misc]
        assert red > 200 and green < 60 and blue < 60  # the reference
