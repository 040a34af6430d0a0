"""What README and docs tell people to type runs, word by word."""

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, Page, page
from tests.docs.stage import stage, write_props

LANGUAGES = {"python", "shell", "toml", "text"}
OWN_ENCODER = page("docs/adding-an-encoder.md")
RUN = [each for each in PAGES if each.runs and each != OWN_ENCODER]


@pytest.fixture(scope="module")
def props(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the snippets find in their working folder, written once."""
    folder = tmp_path_factory.mktemp("props")
    write_props(folder)
    return folder


@pytest.mark.parametrize("told", RUN, ids=lambda told: told.name)
def test_snippets_run_as_they_stand(told: Page, props: Path, tmp_path: Path) -> None:
    with stage(props, tmp_path) as here:
        here.run(told)


@pytest.mark.parametrize("told", PAGES, ids=lambda told: told.name)
def test_what_does_not_run_says_why(told: Page) -> None:
    for snippet in told.snippets:
        assert snippet.language in LANGUAGES, f"{snippet.place}: name the language"
        assert snippet.excuse != "", f"{snippet.place}: say why it does not run"
    excuses = [snippet for snippet in told.snippets if snippet.excuse is not None]
    assert told.text.count("<!-- not run:") == len(excuses)  # each stands right above a snippet


def test_an_encoder_of_ones_own_takes_thirty_lines_and_finds_colours(
    props: Path, tmp_path: Path
) -> None:
    with stage(props, tmp_path) as here:
        here.run(OWN_ENCODER)
    _, *lines = filter(
        str.strip, OWN_ENCODER.snippets[0].code.splitlines()
    )  # without the file's name
    assert len(lines) <= 30
    assert here.names["hits"][0].path == "green.png"
    assert here.names["run"].metrics["recall@1"] == 1.0
