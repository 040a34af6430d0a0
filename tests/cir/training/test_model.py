from tests.needs import needs

needs("torch", "training needs requirements-dev.txt")

import torch  # noqa: E402

from cir.training.attribute_space import LEARNED_WEIGHT, ROOM, STRANGE_WEIGHT  # noqa: E402
from cir.training.model import PAD, Compact, FusionGraph, ImageTokens, Shape  # noqa: E402
from cir.training.palette import BINS  # noqa: E402

SHAPE = Shape(vocabulary=10, channels=BINS, width=16, channel_dropout=0.5)


def test_training_hides_whole_channels_of_a_picture_and_use_hides_none() -> None:
    torch.manual_seed(0)
    tokens = ImageTokens(SHAPE)
    tokens.position.data.zero_()
    same = torch.randn(1, 1, BINS).expand(2, 26, BINS)
    seen = tokens(same)
    cells = seen[0, :-1]
    assert torch.allclose(cells, cells[:1].expand_as(cells), atol=1e-5)
    assert not torch.allclose(seen[0], seen[1], atol=1e-2)
    tokens.eval()
    # Not to the bit: rows of a matrix product may be summed in another order each.
    torch.testing.assert_close(tokens(same)[0], tokens(same)[1])


def test_the_optimiser_gets_each_parameter_once_and_none_that_reads_pictures() -> None:
    model = Compact(Shape(vocabulary=10, channels=BINS, width=24, attributes={"gender": 2}))
    groups = model.parameter_groups(1.0, 0.1, 2.0)
    given = [id(each) for group in groups for each in group["params"]]  # type: ignore[attr-defined]
    parts = (model.reader, model.gate, model.drawing_gate, model.space)
    held = {id(each) for part in parts for each in part.parameters()}
    held.add(id(model.wishes.sources_by_picture))
    assert sorted(given) == sorted({id(each) for each in model.parameters()} - held)
    assert not model.train().reader.training


def test_of_a_strange_picture_the_learned_part_of_a_query_counts_more() -> None:
    torch.manual_seed(0)
    shape = Shape(vocabulary=10, channels=BINS, width=24, hidden=32, attributes={"articleType": 2})
    model = Compact(shape).eval()
    graph = FusionGraph(model)
    model.space.fit(torch.full((1, model.space.used), 0.5))
    readings = torch.full((3, model.space.used), 0.5)
    readings[1, :2] = 0.125
    readings[2] = 0.0
    picture = torch.randn(1, 26, shape.width).expand(3, -1, -1)
    asks, nothing = torch.tensor([[3, 4, 5]] * 3), torch.tensor([[5, PAD, PAD]] * 3)

    def learned(ids: torch.Tensor, wished: torch.Tensor) -> torch.Tensor:
        """Length of the learned part where the attributes' is what it was before scaling."""
        part, attributes = graph(picture, readings, ids).split([shape.dim, ROOM], dim=1)
        ratio: torch.Tensor = part.norm(dim=1) / attributes.norm(dim=1)
        return ratio * wished

    with torch.inference_mode():
        wishes = model.wishes(model.fusion.read_text(asks), readings)
        queries = learned(asks, model.space.wished(wishes).norm(dim=1))
        pictures = learned(nothing, model.space.shown(readings).norm(dim=1))
    one = LEARNED_WEIGHT**0.5
    expected = torch.tensor([one, one * (1 + STRANGE_WEIGHT * 0.75), one])
    assert torch.allclose(queries, expected, rtol=1e-4)
    assert torch.allclose(pictures[:2], torch.tensor([one, one]), rtol=1e-4)
