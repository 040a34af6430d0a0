import math

import pytest

from tests.needs import needs

needs("torch", "training needs requirements-dev.txt")

import torch  # noqa: E402

from cir.training.attribute_space import FLOOR, ROOM, AttributeSpace  # noqa: E402
from cir.training.products import FEATURES  # noqa: E402

SIZES = {"articleType": 3, "season": 4}
USED = 7 + len(FEATURES)


def shown(garment: int, *, share: float = 0.98) -> torch.Tensor:
    """One row that shows the garment, any season and no feature."""
    row = torch.zeros(1, USED)
    row[0, :3] = (1 - share) / 2
    row[0, garment] = share
    row[0, 3:7] = 0.25
    return row


def wish(garment: int) -> torch.Tensor:
    row = torch.zeros(1, USED)
    row[0, garment] = 1.0
    return row


@pytest.fixture
def space() -> AttributeSpace:
    space = AttributeSpace(SIZES)
    space.fit(torch.cat([shown(0), shown(1, share=0.4), torch.full((1, USED), 0.5)]))
    return space


def test_pictures_are_of_one_length_and_fill_the_room(space: AttributeSpace) -> None:
    rows = space.shown(torch.cat([shown(0), shown(2, share=0.5), torch.zeros(1, USED)]))
    assert rows.shape == (3, ROOM)
    assert torch.allclose(rows.norm(dim=1), rows.norm(dim=1)[:1].expand(3), atol=1e-5)


def test_a_wish_prefers_what_shows_it_and_what_may_show_it(space: AttributeSpace) -> None:
    pictures = torch.cat([shown(0), shown(0, share=0.5), shown(1)])
    fit = (space.wished(wish(0)) @ space.shown(pictures).T)[0]
    assert fit[0] > fit[1] > fit[2]


def test_a_weight_is_what_a_fulfilled_wish_gives_and_a_floor_what_counts_as_none() -> None:
    space = AttributeSpace({"gender": 2, "sleeve": 2})
    space.log_weights[1] = math.log(0.5)
    space.log_floors[1] = math.log(0.2)
    wish, doubtful = torch.zeros(2, 4 + len(FEATURES)), torch.zeros(2, 4 + len(FEATURES))
    wish[0, 0] = wish[1, 2] = 1.0
    doubtful[0, 0] = doubtful[1, 2] = 0.2
    fit = (space.wished(wish) @ space.shown(wish).T).diagonal()
    assert fit.tolist() == pytest.approx([1.0, 0.5])
    fit = (space.wished(wish) @ space.shown(doubtful).T).diagonal()
    shares = [math.log(1 + 0.2 / FLOOR) / math.log(1 + 1 / FLOOR), math.log(2) / math.log(6)]
    assert fit.tolist() == pytest.approx([shares[0], shares[1] / 2], rel=1e-4)


def test_logits_become_shares_of_each_attribute_and_of_each_feature() -> None:
    shares = AttributeSpace(SIZES).probabilities(torch.randn(5, USED))
    assert torch.allclose(shares[:, :3].sum(dim=1), torch.ones(5))
    assert torch.allclose(shares[:, 3:7].sum(dim=1), torch.ones(5))
    assert shares.min() > 0
    assert shares.max() < 1


def test_of_a_strange_picture_colour_and_features_alone_are_read() -> None:
    space = AttributeSpace({"articleType": 2, "baseColour": 3})
    plain, known = space.probabilities(torch.randn(2, space.used)), torch.tensor([[1.0], [0.25]])
    read = space.counted(plain, known, torch.ones(2, 1))
    assert torch.equal(read[0], plain[0])
    assert torch.allclose(read[1, :2], plain[1, :2] / 4)
    assert torch.equal(read[:, 2:], plain[:, 2:])
    assert space.strangeness(read)[:, 0].tolist() == pytest.approx([0.0, 0.75], abs=1e-6)


def test_slots_are_read_as_far_as_a_picture_is_a_drawing() -> None:
    space = AttributeSpace({"articleType": 2, "sleeve": 3})
    plain = space.probabilities(torch.randn(1, space.used))
    read = space.counted(plain, torch.tensor([[0.5]]), torch.tensor([[0.1]]))
    assert torch.allclose(read[:, :2], plain[:, :2] * 0.5)
    assert torch.allclose(read[:, 2:5], plain[:, 2:5] * 0.05)
    assert torch.equal(read[:, 5:], plain[:, 5:])


def test_more_values_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="has room for"):
        AttributeSpace({"articleType": ROOM})
