from tests.needs import needs

needs("torch", "training needs requirements-dev.txt")

import torch  # noqa: E402

from cir.training.model import Compact, ImageTokens, Shape  # noqa: E402
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
    assert torch.equal(tokens(same)[0], tokens(same)[1])


def test_the_optimiser_gets_each_parameter_once_and_none_that_reads_pictures() -> None:
    model = Compact(Shape(vocabulary=10, channels=BINS, width=24, attributes={"gender": 2}))
    groups = model.parameter_groups(1.0, 0.1, 2.0)
    given = [id(each) for group in groups for each in group["params"]]  # type: ignore[attr-defined]
    reader = {id(each) for each in model.reader.parameters()}
    assert sorted(given) == sorted({id(each) for each in model.parameters()} - reader)
    assert not model.train().reader.training
