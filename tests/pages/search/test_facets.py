"""Filters: a control a column writes the address, and shows what the address says."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cir.store import ColumnType, MilvusStore
from tests.cir.store.samples import DIM, row

COLUMNS: dict[str, ColumnType] = {
    "colour": "string",
    "maker": "string",
    "name": "string",
    "year": "integer",
    "price": "number",
}
COLOURS = ("Red", "Blue", "Black, White")


def script() -> None:
    """A page of nothing but the filters."""
    import os
    from pathlib import Path

    import streamlit as st

    from cir.store import MilvusStore
    from pages.parts.search.asked import state
    from pages.parts.search.facets import offer_facets

    folder = Path(os.environ["FILTERED"])
    index = MilvusStore(str(folder / "test.db"), data_dir=folder).open("shop")
    st.session_state["found"] = list(state().get("where", ()))
    offer_facets(index)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an index of 60 images."""
    folder = tmp_path_factory.mktemp("filters")
    store = MilvusStore(str(folder / "test.db"), data_dir=folder)
    index = store.create(
        "shop", encoder="e", fingerprint="0", precision="exact", dim=DIM, columns=COLUMNS
    )
    index.upsert(
        [
            row(
                f"{n}.jpg",
                metadata={
                    "colour": COLOURS[n % 3],
                    "maker": f"maker {n % 12}",
                    "name": f"thing {n}",
                    "year": 2000 + n % 20,
                    "price": n / 4,
                },
            )
            for n in range(60)
        ]
    )
    return folder


@pytest.fixture
def app(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("FILTERED", str(folder))
    return AppTest.from_function(script, default_timeout=30).run()


def found(app: AppTest) -> list[str]:
    """The conditions of the address after another run."""
    app.run()
    assert not app.exception
    where: list[str] = app.session_state["found"]
    return where


def test_values_that_are_ticked_are_joined_by_or(app: AppTest) -> None:
    colours = app.button_group(key="facet colour")
    assert [option.content for option in colours.proto.options] == [
        *("Black, White (20)", "Blue (20)", "Red (20)")
    ]
    colours.set_value(["Red"]).run()
    assert found(app) == ["colour=Red"]
    app.button_group(key="facet colour").set_value(["Red", "Black, White"]).run()
    assert found(app) == ['colour in Red, "Black, White"']
    app.button_group(key="facet colour").set_value([]).run()
    assert found(app) == []


def test_each_control_keeps_to_its_own_column(app: AppTest) -> None:
    app.multiselect(key="facet maker").set_value(["maker 1", "maker 2"]).run()
    app.slider(key="facet year").set_value((2005, 2019)).run()
    app.text_input(key="facet name").set_value("THING 1").run()
    app.number_input(key="facet price <=").set_value(7.5).run()
    assert found(app) == [
        *("maker in maker 1, maker 2", "year>=2005", "name~THING 1", "price<=7.5")
    ]
    app.slider(key="facet year").set_value((2000, 2010)).run()
    assert found(app)[1:] == ["name~THING 1", "price<=7.5", "year<=2010"]
    app.button(key="clear filters").click().run()
    assert found(app) == []
    assert app.multiselect(key="facet maker").value == []
    assert app.number_input(key="facet price <=").value is None
    assert app.text_input(key="facet name").value == ""


def test_choices_are_counted_under_the_other_conditions(app: AppTest) -> None:
    app.slider(key="facet year").set_value((2019, 2019)).run()
    assert app.multiselect(key="facet maker").options == [
        *("maker 11 (1)", "maker 3 (1)", "maker 7 (1)")
    ]


def test_the_controls_show_what_the_address_says(app: AppTest) -> None:
    app.query_params["where"] = ["colour in Red, Pink", "year>=1990", "colour!=Blue", "name~2"]
    assert len(found(app)) == 4
    assert app.button_group(key="facet colour").value == ["Red", "Pink"]
    assert app.slider(key="facet year").value == (2000, 2019)
    assert app.text_input(key="facet name").value == "2"
    app.button_group(key="facet colour").set_value(["Red"]).run()
    assert found(app) == ["year>=1990", "colour!=Blue", "name~2", "colour=Red"]


def test_a_condition_can_be_typed(app: AppTest) -> None:
    typed = app.text_input(key="typed condition")
    assert typed.placeholder == "maker in maker 0, maker 1"
    typed.set_value("colour is red").run()
    assert found(app) == []
    assert "is not a condition" in app.error[0].value
    app.text_input(key="typed condition").set_value("colour!=Red").run()
    assert found(app) == ["colour!=Red"] and not app.error
    assert app.text_input(key="typed condition").value == ""


def test_a_wrong_condition_of_a_link_is_told_and_can_be_cleared(app: AppTest) -> None:
    app.query_params["where"] = ["weight>3", "colour=Red"]
    assert len(found(app)) == 2
    assert 'There is no column "weight"' in app.error[0].value
    assert app.button_group(key="facet colour").value == ["Red"]
    app.button(key="clear filters").click().run()
    assert found(app) == [] and not app.error
