"""Making a labelled set on the search page, without a browser."""

import pytest
from streamlit.testing.v1 import AppTest

from cir.settings import load_settings
from cir.store import image_id
from eval.sets.formats.native import load_native
from eval.sets.labelled import LabelledQuery
from eval.sets.own import kept_sets
from tests.pages.metrics.test_page import words
from tests.pages.test_pages import SECONDS, index
from tests.places import REPOSITORY

__all__ = ["index"]


def search(reference: str | None = "red.png", instruction: str = "in blue") -> AppTest:
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS)
    if reference:
        app.query_params["ref"] = image_id(reference)
    app.query_params["instruction"] = instruction
    app.run()
    assert not app.exception
    return app


def mark(app: AppTest) -> None:
    app.toggle(key="mark_targets").set_value(True).run()
    assert not app.exception


def press(app: AppTest, label: str) -> None:
    next(each for each in app.button if each.label == label).click().run()
    assert not app.exception


def test_marked_targets_become_a_query_that_the_metrics_page_offers(index: str) -> None:
    app = search()
    assert not app.checkbox
    mark(app)
    assert [each.label for each in app.checkbox] == ["Target: result 1", "Target: result 2"]
    app.checkbox[0].check().run()
    assert "1 target marked" in words(app)
    app.text_input(key="mark_group").set_value("colour").run()
    press(app, "Add the query")
    # What was shown and not ticked was looked at, too.
    assert "Added to my-set. Queries in it: 1. Judged as no right answers: 1." in words(app)
    (query,) = load_native(kept_sets(load_settings().data_dir)["my-set"]).queries
    assert (query.reference, query.instruction, query.group) == ("red.png", "in blue", "colour")
    assert (len(query.targets), len(query.negatives)) == (1, 1)
    press(app, "Add the query")
    assert "holds this query and its targets already" in words(app)
    app.checkbox[1].check().run()
    press(app, "Add the query")
    assert "new targets: 1" in words(app)
    app.switch_page("pages/metrics.py").run()
    assert "my-set (kept here)" in app.selectbox(key="metrics_set").options


def test_without_a_mark_nothing_is_written(index: str) -> None:
    app = search()
    mark(app)
    press(app, "Add the query")
    assert "No target is marked" in app.error[0].value
    assert not kept_sets(load_settings().data_dir)


@pytest.mark.parametrize(("reference", "instruction"), [(None, "in blue"), ("red.png", "")])
def test_a_query_needs_an_indexed_reference_and_an_instruction(
    index: str, reference: str | None, instruction: str
) -> None:
    app = search(reference, instruction)
    mark(app)
    assert "has an image of the index as its reference" in words(app)
    assert not app.checkbox


def test_read_only_marks_nothing(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIR_READ_ONLY", "true")
    assert not [each for each in search().toggle if each.label == "Mark targets"]


def test_marks_belong_to_their_query(index: str) -> None:
    app = search()
    mark(app)
    app.checkbox[0].check().run()
    app.chat_input[0].set_value("in green").run()
    assert not any(each.value for each in app.checkbox)


def test_what_was_not_looked_at_is_not_judged_and_queries_are_changed(index: str) -> None:
    app = search()
    mark(app)
    app.checkbox[0].check().run()
    app.toggle(key="mark_others").set_value(False).run()
    press(app, "Add the query")

    def query() -> LabelledQuery:
        (only,) = load_native(kept_sets(load_settings().data_dir)["my-set"]).queries
        return only

    assert query().negatives == ()
    app.text_input(key="edit_text my-set q1").set_value("in navy").run()
    app.text_input(key="edit_group my-set q1").set_value("colour").run()
    press(app, "Save")
    assert "Changed q1 of my-set." in words(app)
    assert (query().instruction, query().group) == ("in navy", "colour")
    app.multiselect(key="edit_targets my-set q1").set_value([]).run()
    press(app, "Save")
    assert "has no target" in app.error[0].value and len(query().targets) == 1
    press(app, "Remove the query")
    assert "is the only query of my-set: delete the set" in words(app)
