"""Drawn designs for training."""

from pathlib import Path

from cir.sample.designs import catalogue, kept_aside
from cir.training.drawings import drawn_frame, training_designs
from cir.training.products import FEATURES, slot_features


def test_no_design_is_kept_aside_or_has_a_number_of_the_catalogue() -> None:
    designs = training_designs()
    assert len(designs) > 1000
    assert not any(map(kept_aside, designs))
    assert not {each.id for each in designs} & {each.id for each in catalogue()}
    assert len({each.id for each in designs}) == len(designs)


def test_a_design_becomes_a_row_with_a_picture(tmp_path: Path) -> None:
    design = next(each for each in training_designs() if each.neckline == "hood")
    frame = drawn_frame(tmp_path, [design])
    picture = Path(str(frame.loc[0, "photo"]))
    before = picture.stat().st_mtime_ns
    assert frame.loc[0, "articleType"] == "Sweatshirts"
    stated = slot_features(frame)[0]
    named = {name for name, has in zip(FEATURES, stated, strict=True) if has}
    assert {"hooded", "long sleeve"} <= named
    drawn_frame(tmp_path, [design])
    assert picture.stat().st_mtime_ns == before
