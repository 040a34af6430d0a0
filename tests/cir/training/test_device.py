"""That nothing stays behind on the CPU: the "meta" device holds no values, but like a GPU it does
not mix with tensors that lie elsewhere, and like a GPU's its values are not to be waited for."""

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import pytest

from cir.errors import EncoderError
from tests.cir.training.drawn_products import draw_products
from tests.needs import needs

needs("onnxscript", "training needs requirements-dev.txt")

import torch  # noqa: E402

from cir.training import compact, features, lessons  # noqa: E402
from cir.training.attributes import Reader, attribute_sizes  # noqa: E402
from cir.training.compact import Trainer  # noqa: E402
from cir.training.device import on_device, training_device  # noqa: E402
from cir.training.late import LateStages  # noqa: E402
from cir.training.model import Compact, Shape, Words  # noqa: E402
from cir.training.products import read_products  # noqa: E402
from cir.training.ranking import fit_ranking  # noqa: E402
from cir.training.settings import TrainingSettings  # noqa: E402
from cir.training.tower import Tower  # noqa: E402


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    folder = tmp_path_factory.mktemp("training")
    products = read_products(*draw_products(folder))
    return Trainer(products, folder / "work", TrainingSettings(steps=6, batch=32, epochs=1))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in (compact, features):
        monkeypatch.setattr(module, "half_precision", nullcontext)  # "meta" has none
    with torch.device("meta"):
        yield


@pytest.mark.usefixtures("elsewhere")
def test_a_step_computes_where_the_model_is(trainer: Trainer) -> None:
    model = trainer.model
    trainer.model = Compact(trainer.shape)
    try:
        torch.autograd.backward(trainer._loss(trainer.questions.batch(trainer.random)))
        weight = trainer.model.fusion.out.weight
        assert weight.device.type == "meta"
        assert weight.grad is not None
        assert weight.grad.device.type == "meta"
    finally:
        trainer.model = model


@pytest.mark.usefixtures("elsewhere")
def test_a_lesson_computes_where_the_tower_is(trainer: Trainer) -> None:
    products = trainer.products
    tower = Tower()
    parts = tower.early_part(on_device(np.zeros((4, 224, 224, 3), np.uint8)))
    early = features.Early(*(np.zeros((2, *part.shape), np.float16) for part in parts))
    rows = np.arange(4)
    random = np.random.default_rng(0)
    tower.late.requires_grad_(True)
    mixed = lessons._mixed(LateStages(tower), early, rows, 0.4, random)
    reader = Reader(attribute_sizes(products), tower.channels, 0.2)
    torch.autograd.backward(lessons._loss(reader(*mixed[:2]), products, rows, mixed[2]))
    assert all(each.grad is not None for each in tower.late.parameters() if each.dim() == 4)


@pytest.mark.usefixtures("elsewhere")
def test_the_ranking_is_fitted_where_the_model_is(trainer: Trainer) -> None:
    model = Compact(trainer.shape)
    fit_ranking(
        model.wishes,
        model.space,
        trainer.questions,
        lambda texts: trainer._read_texts(model, texts),
        steps=1,
        random=trainer.random,
    )
    for each in (model.wishes.sources_by_picture, model.space.log_floors):
        assert each.grad is not None
        assert each.grad.device.type == "meta"


@pytest.mark.usefixtures("elsewhere")
def test_word_embeddings_come_from_the_cpu() -> None:
    words = Words(Shape(vocabulary=5, channels=9))
    words.fill(torch.zeros(5, words.table.shape[1], device="cpu"))
    assert words.table.device.type == "meta"


def test_what_stays_behind_is_found(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "half_precision", nullcontext)
    model = trainer.model
    with torch.device("meta"):
        trainer.model = Compact(trainer.shape)
    try:
        with pytest.raises(RuntimeError, match="device"):
            trainer._loss(trainer.questions.batch(trainer.random))
    finally:
        trainer.model = model


def test_a_device_that_is_not_there_is_told() -> None:
    assert training_device("cpu") == "cpu"
    with pytest.raises(ValueError, match="auto, cpu, cuda"):
        training_device("tpu")
    if torch.cuda.is_available():
        assert training_device("auto") == "cuda"
        return
    assert training_device("auto") == "cpu"
    with pytest.raises(EncoderError, match="cuda is not there"):
        training_device("cuda")
