import pytest

from tests.needs import needs

needs("torch", "training needs requirements-dev.txt")

import torch  # noqa: E402

from cir.training.batch import Wanted  # noqa: E402
from cir.training.products import FEATURES  # noqa: E402
from cir.training.wishes import Wishes  # noqa: E402

SIZES = {"articleType": 3, "baseColour": 4, "pattern": 2}
USED = 9 + len(FEATURES)
STRIPED, CHECKED = (list(FEATURES).index(name) for name in ("striped", "checked"))
CHANGE, KEEP, NOT_THIS, NOT_GREEN, STRIPES = torch.eye(5)  # stand for five texts
GREEN = 3


def picture(garment: int, colour: int) -> torch.Tensor:
    row = torch.zeros(USED)
    row[[garment, 3 + colour, 7]] = 1.0
    return row


def lessons() -> tuple[torch.Tensor, torch.Tensor, list[Wanted]]:
    """Texts, pictures and what is wanted: green; the same; two refusals; stripes, no checks."""
    texts, pictures, wanted = [], [], []
    for garment, colour in ((1, 2), (2, 0), (1, GREEN)):
        kind = {"articleType": garment}
        told = {
            CHANGE: Wanted({**kind, "baseColour": GREEN}),
            KEEP: Wanted({**kind, "baseColour": colour}),
            NOT_THIS: Wanted(kind, without_codes={"baseColour": colour}),
            STRIPES: Wanted(kind, (STRIPED,), without_features=(CHECKED,)),
        }
        if colour == GREEN:
            told = {NOT_GREEN: Wanted(kind, without_codes={"baseColour": GREEN})}
        texts += list(told)
        pictures += [picture(garment, colour)] * len(told)
        wanted += list(told.values())
    return torch.stack(texts), torch.stack(pictures), wanted


@pytest.fixture(scope="module")
def wishes() -> Wishes:
    """Taught with every picture, and without; never what the pattern is to be."""
    torch.manual_seed(0)
    wishes = Wishes(SIZES, 5)
    optimiser = torch.optim.Adam(wishes.parameters(), 0.05)
    texts, pictures, wanted = lessons()
    known = {name: torch.full((len(wanted),), name != "pattern") for name in SIZES}
    free = [Wanted({}, each.features, {}, each.without_features) for each in wanted]
    for _ in range(300):
        loss = wishes.loss(texts, pictures, wanted, known)
        alone = wishes.loss(
            texts[1:2],
            torch.zeros_like(pictures[1:2]),
            free[1:2],
            {name: each[:1] for name, each in known.items()},
        )
        optimiser.zero_grad()
        (loss + alone).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return wishes.requires_grad_(False)


@pytest.fixture
def unseen() -> torch.Tensor:
    """A picture of none of the taught pairs: type 0, of colour 1 or, less likely, 2."""
    row = torch.zeros(USED)
    row[[0, 3 + 1, 3 + 2, 8]] = torch.tensor([1.0, 0.7, 0.3, 1.0])
    return row


def ask(wishes: Wishes, text: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    row: torch.Tensor = wishes(text[None], picture[None])[0]
    return row


def test_what_a_text_keeps_is_copied_with_its_doubt(wishes: Wishes, unseen: torch.Tensor) -> None:
    kept = ask(wishes, KEEP, unseen)
    assert kept[0] > 0.9
    assert kept[3:7].tolist() == pytest.approx([0, 0.7, 0.3, 0], abs=0.05)


def test_what_a_text_says_is_wished_whatever_the_picture(
    wishes: Wishes, unseen: torch.Tensor
) -> None:
    changed = ask(wishes, CHANGE, unseen)
    assert changed[0] > 0.9
    assert changed[3:7].tolist() == pytest.approx([0, 0, 0, 1], abs=0.05)


def test_what_a_text_refuses_counts_against(wishes: Wishes, unseen: torch.Tensor) -> None:
    other = ask(wishes, NOT_THIS, unseen)
    assert other[3:7].tolist() == pytest.approx([0, -0.7, -0.3, 0], abs=0.05)


def test_what_a_text_leaves_open_is_not_wished(wishes: Wishes, unseen: torch.Tensor) -> None:
    striped = ask(wishes, STRIPES, unseen)
    assert striped[3:7].abs().max() < 0.05


def test_features_are_wished_refused_or_neither(wishes: Wishes, unseen: torch.Tensor) -> None:
    features = ask(wishes, STRIPES, unseen)[9:]
    assert features[STRIPED] > 0.9
    assert features[CHECKED] < -0.9
    features[[STRIPED, CHECKED]] = 0
    assert features.abs().max() < 0.1


def test_a_refusal_that_names_its_colour_needs_no_picture(
    wishes: Wishes, unseen: torch.Tensor
) -> None:
    named = ask(wishes, NOT_GREEN, torch.zeros_like(unseen))
    assert named[3:7].argmin() == GREEN
    assert ask(wishes, NOT_THIS, torch.zeros_like(unseen))[3:7].abs().max() < 0.4


def test_no_picture_teaches_nothing_against_keeping(wishes: Wishes, unseen: torch.Tensor) -> None:
    texts, _, _ = lessons()
    assert ask(wishes, texts[1], unseen)[4] > 0.6


def test_what_the_table_does_not_know_teaches_nothing(unseen: torch.Tensor) -> None:
    torch.manual_seed(0)
    wishes = Wishes(SIZES, 5)
    for known in (True, False):
        wishes.zero_grad()
        flags = {name: torch.tensor([known]) for name in SIZES}
        wishes.loss(KEEP[None], unseen[None], [Wanted({})], flags).backward()  # type: ignore[no-untyped-call]
        gradient = wishes.sources.weight.grad
        assert gradient is not None
        assert bool(gradient.any()) == known


def test_what_a_picture_shows_may_decide_what_stays(unseen: torch.Tensor) -> None:
    """The same text keeps the colour where a pattern is read, and leaves it open where none is."""
    torch.manual_seed(0)
    wishes = Wishes(SIZES, 5).requires_grad_(True)
    drawing, photo = picture(1, 2), picture(1, 2)
    photo[7:9] = 0
    pictures = torch.stack([drawing, photo])
    wanted = [Wanted({"articleType": 1, "baseColour": 2}), Wanted({"articleType": 1})]
    known = {name: torch.tensor([name != "pattern"] * 2) for name in SIZES}
    optimiser = torch.optim.Adam(wishes.parameters(), 0.05)
    for _ in range(200):
        loss = wishes.loss(STRIPES.expand(2, -1), pictures, wanted, known)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    unseen[8] = 0
    with torch.no_grad():
        unseen[7] = 1
        assert ask(wishes, STRIPES, unseen)[4] > 0.5
        unseen[7] = 0
        assert ask(wishes, STRIPES, unseen)[3:7].abs().max() < 0.2


def test_without_a_picture_nothing_is_kept(wishes: Wishes, unseen: torch.Tensor) -> None:
    kept = ask(wishes, KEEP, torch.zeros_like(unseen))
    assert kept.abs().max() < 0.1
