import pytest

from tests.needs import needs

needs("torch", "training needs requirements-dev.txt")

import torch  # noqa: E402

from cir.training.gate import Gate, fitted_gate  # noqa: E402


def test_it_tells_the_kinds_apart_however_many_there_are_of_each() -> None:
    torch.manual_seed(0)
    direction = torch.randn(12)
    known, strange = torch.randn(600, 12) + direction, torch.randn(40, 12) - direction
    gate = fitted_gate(known, strange)
    assert (gate(torch.randn(200, 12) + direction) > 0.5).float().mean() > 0.95
    assert (gate(torch.randn(200, 12) - direction) < 0.5).float().mean() > 0.95
    assert float(gate(torch.zeros(1, 12))) == pytest.approx(0.5, abs=0.35)


def test_without_an_example_of_one_kind_all_are_of_the_other() -> None:
    some, none = torch.randn(6, 4), torch.zeros(0, 4)
    assert fitted_gate(some, none)(some).min() > 0.999
    assert fitted_gate(none, some)(some).max() < 0.001


def test_before_it_is_fitted_it_knows_nothing() -> None:
    assert Gate(4)(torch.randn(3, 4)).tolist() == [[0.5]] * 3
