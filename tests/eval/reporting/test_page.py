"""The HTML report: what it shows, what it escapes, that it needs nothing from elsewhere."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cir.errors import UsageError
from cir.settings import load_settings
from eval.cli.app import app
from eval.reporting.page import report_page
from eval.runs.reading import open_upload
from tests.eval.command_line import QRELS, QUERIES, Evaluate, WriteSet, document_of
from tests.eval.uploads import TABLE, document, zipped

EVIL = '<script>alert(1)</script> & "so" on'


class Page(HTMLParser):
    """Collects the tags with their attributes, and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def classes(self, name: str) -> int:
        return sum(attributes.get("class") == name for _, attributes in self.tags)


@pytest.fixture
def report(
    evaluate: Evaluate, write_set: WriteSet, gallery: Path, tmp_path: Path
) -> tuple[Page, Path]:
    """The report of a run over the drawn gallery, with an instruction that looks like markup."""
    evil = [{**QUERIES[0], "text": EVIL, "group": EVIL}, *QUERIES[1:]]
    run = document_of(
        evaluate("--set", write_set(evil, QRELS), "--gallery", gallery, "--ablations", "--json")
    )["run"]
    file = tmp_path / "report.html"
    result = CliRunner().invoke(app, ["report", run, "--html", str(file)])
    assert result.exit_code == 0, result.stderr
    return Page(file.read_text(encoding="utf-8")), file


def test_the_report_holds_figures_gain_groups_and_queries(report: tuple[Page, Path]) -> None:
    page, _ = report
    for words in ("recall@10", "Composition gain", "By group", "Worst queries", "Image only"):
        assert words in page.words
    assert "with stripes" in page.words
    assert re.search(r"First target: rank \d+", page.words)
    assert '"encoder_fingerprint"' in page.words


def test_every_picture_is_embedded_and_targets_are_marked(report: tuple[Page, Path]) -> None:
    page, file = report
    sources = [attributes["src"] or "" for tag, attributes in page.tags if tag == "img"]
    assert len(sources) > 20
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    # Each of three queries names its target; where the ranking holds it, it stands there again.
    assert 3 < page.classes("target") <= 6
    assert file.stat().st_size < 500_000


def test_nothing_is_fetched_and_text_stays_text(report: tuple[Page, Path]) -> None:
    page, file = report
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not any("http" in str(attributes.get("src")) for _, attributes in page.tags)
    assert "url(" not in file.read_text()
    assert EVIL in page.words


def test_where_files_lie_is_not_told(report: tuple[Page, Path], gallery: Path) -> None:
    _, file = report
    assert str(gallery) not in file.read_text()


def test_without_the_set_the_figures_stay(
    evaluate: Evaluate, labelled: Path, gallery: Path, tmp_path: Path
) -> None:
    run = document_of(evaluate("--set", labelled, "--gallery", gallery, "--json"))["run"]
    with (labelled / "queries.jsonl").open("a") as file:
        file.write("\n\n")
    result = CliRunner().invoke(app, ["report", run, "--html", str(tmp_path / "r.html"), "--json"])
    notes = json.loads(result.stdout)["notes"]
    assert notes == ["Single queries are left out: The labelled set set has changed since the run."]
    assert "recall@10" in (tmp_path / "r.html").read_text()


def test_an_upload_opens_nothing_that_it_names(data_dir: Path, labelled: Path) -> None:
    settings = {"set": str(labelled), "format": "native"}
    run = open_upload(
        "x.zip", zipped({"run.json": document(settings=settings), "queries.csv": TABLE})
    )
    page, lacks = report_page(run, load_settings())
    assert "does not say where its labelled set is" in lacks[0]
    assert "<img" not in page


def test_the_report_speaks_of_the_measure_that_is_asked_for(data_dir: Path) -> None:
    run = open_upload("x.zip", zipped({"run.json": document(), "queries.csv": TABLE}))
    usual = Page(report_page(run, load_settings())[0])
    assert "By group: recall@10" in usual.words
    assert "MRR: the mean of one over the rank of the first target." in usual.words
    page = Page(report_page(run, load_settings(), measure="recall@3")[0])
    assert "By group: recall@3" in page.words
    assert "+0.0 points of recall@3" in page.words
    with pytest.raises(UsageError, match=r"map@3 was not measured\. Run the set again"):
        report_page(run, load_settings(), measure="map@3")
    with pytest.raises(UsageError, match="no table of queries to work recall@3 out of"):
        report_page(open_upload("x.json", document()), load_settings(), measure="recall@3")


def test_the_file_must_be_a_page(tmp_path: Path, evaluate: Evaluate) -> None:
    kept = tmp_path / "photo.jpg"
    kept.write_bytes(b"mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_bytes(document())
    result = CliRunner().invoke(app, ["report", str(tmp_path / "run"), "--html", str(kept)])
    assert result.exit_code == 2
    assert "does not end in .html" in result.stderr
    assert kept.read_bytes() == b"mine"
