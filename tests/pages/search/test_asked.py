"""What is asked stands in the address; each change is a step that can be undone."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cir.store import image_id
from tests.pages.anew import start_anew

RED, BLUE = image_id("red.jpg"), image_id("blue.jpg")


def script() -> None:
    """A page of nothing but callbacks: each press does what the test has put into the session."""
    import streamlit as st

    from cir.errors import UsageError
    from pages.parts.search import asked

    def press() -> None:
        st.session_state["do"](asked)

    st.button("press", on_click=press)
    st.session_state["steps"] = [step.title for step in asked.steps()]
    st.session_state["state"] = asked.state()
    st.session_state["link"] = asked.link()
    try:
        st.session_state["options"] = asked.options(asked.state())
    except UsageError as error:
        st.error(str(error))


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return AppTest.from_function(script)


def do(app: AppTest, what: Callable[[Any], None]) -> dict[str, list[str]]:
    app.session_state["do"] = what
    app.button[0].click().run()
    assert not app.exception
    return {name: list(values) for name, values in app.session_state["state"].items()}


def test_an_address_without_parameters_asks_for_nothing(app: AppTest) -> None:
    app.run()
    assert app.session_state["state"] == {}
    assert app.session_state["options"].limit == 24


@pytest.mark.parametrize("name", ["flag:a/b", "openai:x", "nonsense", "flag:/etc"])
def test_a_link_names_no_second_stage_that_is_not_offered(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("CIR_RERANKERS", "flag:c/d")
    start_anew()
    app.query_params |= {"instruction": "in blue", "rerank": name}
    app.run()
    assert "not offered here. There are: words, flag:c/d." in app.error[0].value
    app.query_params |= {"rerank": "flag:c/d", "rerank_weight": "0.1"}
    app.run()
    options = app.session_state["options"]
    assert (options.rerank, options.rerank_weight) == ("flag:c/d", 0.1)
    start_anew()


def test_an_old_link_keeps_its_meaning(app: AppTest) -> None:
    app.query_params |= {"ref": RED, "instruction": "in blue", "limit": "48"}
    app.query_params["where"] = ["year>=2011", "colour=Red"]
    app.run()
    options = app.session_state["options"]
    assert (options.limit, options.where) == (48, ("year>=2011", "colour=Red"))
    assert app.session_state["state"]["ref"] == (RED,)
    assert "where=year%3E%3D2011&where=colour%3DRed" in app.session_state["link"]


def test_what_is_default_is_left_out_of_the_address(app: AppTest) -> None:
    app.run()
    assert do(app, lambda asked: asked.set_option("balance", 0.3)) == {"balance": ["0.3"]}
    assert do(app, lambda asked: asked.set_option("balance", 0.5)) == {}
    assert do(app, lambda asked: asked.set_option("limit", 24)) == {}


def test_a_picture_becomes_the_reference_and_the_instruction_stays(app: AppTest) -> None:
    app.query_params |= {"ref": RED, "instruction": "in blue", "crop": "0,0,1,0.5"}
    app.run()
    after = do(app, lambda asked: asked.search_with(BLUE))
    assert after == {"ref": [BLUE], "instruction": ["in blue"]}


def test_more_and_less_add_to_what_is_asked(app: AppTest) -> None:
    app.query_params["ref"] = RED
    app.run()
    do(app, lambda asked: asked.more_like(BLUE))
    after = do(app, lambda asked: asked.less_like(RED))
    assert after == {"ref": [RED, BLUE], "less_image": [RED]}
    after = do(app, lambda asked: asked.remove("ref", RED))
    assert after == {"ref": [BLUE], "less_image": [RED]}


def test_steps_are_undone_one_by_one(app: AppTest) -> None:
    app.run()
    do(app, lambda asked: asked.ask("a shirt"))
    do(app, lambda asked: asked.search_with(RED))
    do(app, lambda asked: asked.less_like(BLUE))
    assert app.session_state["steps"][1:] == ["“a shirt”", "search with this", "less like this"]
    assert "less_image" not in do(app, lambda asked: asked.undo())
    assert do(app, lambda asked: asked.undo()) == {"instruction": ["a shirt"]}
    assert do(app, lambda asked: asked.undo()) == {}
    assert do(app, lambda asked: asked.undo()) == {}


def test_what_a_link_says_twice_is_asked_once(app: AppTest) -> None:
    app.query_params["where"] = ["colour=Red", "colour=Red"]
    app.query_params["ref"] = [f"{RED}*2", f"{RED}*2"]
    app.run()
    assert app.session_state["state"] == {"where": ("colour=Red",), "ref": (f"{RED}*2",)}
    assert do(app, lambda asked: asked.more_like(RED))["ref"] == [f"{RED}*2"], "it is there"
    after = do(app, lambda asked: asked.set_option("where", ["year>1", "year>1"]))
    assert after["where"] == ["year>1"]


def test_a_press_too_many_changes_nothing(app: AppTest) -> None:
    keys = [image_id(f"{number}.jpg") for number in range(16)]
    app.query_params["ref"] = keys
    app.run()
    assert do(app, lambda asked: asked.more_like(RED))["ref"] == keys
    assert "At most 16" in app.toast[0].value
    assert app.session_state["steps"] == ["start"]


def test_another_index_has_steps_of_its_own(app: AppTest) -> None:
    app.session_state["index"] = "shoes"
    app.run()
    do(app, lambda asked: asked.search_with(RED))
    do(app, lambda asked: asked.ask("in blue"))
    do(app, lambda asked: asked.remove("ref", RED))
    app.session_state["index"] = "hats"
    app.run()
    assert app.session_state["steps"] == ["start"]
    assert do(app, lambda asked: asked.undo()) == {"instruction": ["in blue"]}


def test_steps_follow_an_address_that_the_browser_brings_back(app: AppTest) -> None:
    app.run()
    first = do(app, lambda asked: asked.ask("a shirt"))
    second = do(app, lambda asked: asked.ask("a dress"))
    app.query_params.clear()
    app.query_params.update(first)
    app.run()
    assert app.session_state["steps"][1:] == ["“a shirt”"]
    app.query_params.update(second)
    app.run()
    assert app.session_state["steps"][1:] == ["“a shirt”", "“a dress”"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "many"),
        ("limit", "0"),
        ("balance", "nan"),
        ("turn", "45"),
        ("less_image", "/etc/passwd"),
        ("less", [str(number) for number in range(17)]),
    ],
)
def test_a_wrong_address_is_one_sentence(app: AppTest, name: str, value: Any) -> None:
    app.query_params[name] = value
    app.run()
    assert not app.exception
    assert len(app.error) == 1
