import pytest

from tests.needs import needs

needs("torch", "training needs requirements-dev.txt")

import torch  # noqa: E402

from cir.training.attribute_space import ROOM, AttributeSpace  # noqa: E402
from cir.training.products import FEATURES  # noqa: E402

SIZES = {"articleType": 3, "season": 4}
USED = 7 + len(FEATURES)


def logits(garment: int, *, sure: float = 8.0) -> torch.Tensor:
    """One row that reads the garment, no season and no feature."""
    row = torch.zeros(1, USED)
    row[0, garment] = sure
    row[:, 7:] = -8.0
    return row


@pytest.fixture
def space() -> AttributeSpace:
    space = AttributeSpace(SIZES)
    space.fit(torch.cat([logits(0), logits(1, sure=1.0), torch.zeros(1, USED)]))
    return space


def test_pictures_are_of_one_length_and_fill_the_room(space: AttributeSpace) -> None:
    rows = space.shown(torch.cat([logits(0), logits(2, sure=2.0), torch.zeros(1, USED)]))
    assert rows.shape == (3, ROOM)
    assert torch.allclose(rows.norm(dim=1), rows.norm(dim=1)[:1].expand(3), atol=1e-5)


def test_a_wish_prefers_what_shows_it_and_what_may_show_it(space: AttributeSpace) -> None:
    pictures = torch.cat([logits(0), logits(0, sure=1.0), logits(1)])
    fit = (space.wished(logits(0)) @ space.shown(pictures).T)[0]
    assert fit[0] > fit[1] > fit[2]


def test_an_open_wish_tells_pictures_apart_less(space: AttributeSpace) -> None:
    pictures = space.shown(torch.cat([logits(0), logits(1)]))
    sure, open_ = (space.wished(logits(0, sure=sure)) @ pictures.T for sure in (8.0, 0.5))
    assert (sure[0, 0] - sure[0, 1]) > 3 * (open_[0, 0] - open_[0, 1]) > 0


def test_more_values_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="has room for"):
        AttributeSpace({"articleType": ROOM})
