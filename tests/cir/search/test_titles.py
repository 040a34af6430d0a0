"""What images are called, and which fields are shown beside it."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from cir.errors import UsageError
from cir.search.titles import telling_columns, title_column
from cir.store import ColumnType, MilvusIndex, MilvusStore
from tests.cir.store.samples import DIM, row

Make = Callable[..., MilvusIndex]

COLOURS = ("Red", "Blue", "Green", "White")
KINDS = ("Shirts", "Shoes", "Bags")


@pytest.fixture(scope="module")
def made(local_store: MilvusStore) -> Iterator[Make]:
    """Makes an index of 60 images whose columns hold the given values."""
    names = []

    def make(**values: Callable[[int], object]) -> MilvusIndex:
        kinds: dict[type, ColumnType] = {str: "string", int: "integer", bool: "boolean"}
        columns = {name: kinds[type(value(0))] for name, value in values.items()}
        names.append(uuid.uuid4().hex)
        index = local_store.create(
            names[-1], encoder="e", fingerprint="0", precision="exact", dim=DIM, columns=columns
        )
        index.upsert(
            [
                row(f"a/{n}.jpg", metadata={name: value(n) for name, value in values.items()})
                for n in range(60)
            ]
        )
        return index

    yield make
    for name in names:
        local_store.drop(name)


def test_a_title_is_found_by_its_name_and_by_what_it_holds(made: Make) -> None:
    index = made(
        file=lambda n: f"{n}.jpg",
        title=lambda n: "Shop",  # named like one, but says nothing
        productDisplayName=lambda n: f"Shirt {n}",
        colour=lambda n: COLOURS[n % 4],
        kind=lambda n: KINDS[n % 3],
        season=lambda n: COLOURS[n % 4].lower(),  # says what the colour has said
        year=lambda n: 2000 + n % 20,
    )
    assert title_column(index) == "productDisplayName"
    assert telling_columns(index) == ["colour", "kind"]
    assert telling_columns(index, 9) == ["colour", "kind", "season", "year"]


def test_words_that_differ_for_every_image_are_a_title(made: Make) -> None:
    assert title_column(made(code=lambda n: f"x{n}", what=lambda n: f"thing number {n}")) == "what"
    assert title_column(made(code=lambda n: f"x{n}", colour=lambda n: COLOURS[n % 4])) == ""


def test_a_title_can_be_chosen_and_is_kept(made: Make, local_store: MilvusStore) -> None:
    index = made(name=lambda n: f"Shirt {n}", maker=lambda n: COLOURS[n % 4])
    index.choose_title("maker")
    again = local_store.open(index.info.name)
    assert title_column(again) == "maker" and telling_columns(again) == []
    with pytest.raises(UsageError, match="The columns are: maker, name"):
        again.choose_title("makers")
    again.choose_title("")
    assert title_column(local_store.open(index.info.name)) == "name"


def test_an_index_without_images_or_columns_has_no_title(local_store: MilvusStore) -> None:
    name = uuid.uuid4().hex
    index = local_store.create(name, encoder="e", fingerprint="0", precision="exact", dim=DIM)
    assert title_column(index) == "" and telling_columns(index) == [] and index.facets() == []
    local_store.drop(name)
