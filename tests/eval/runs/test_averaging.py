"""The mean of runs on several sets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cir.errors import UsageError
from eval.runs.averaging import mean_of_runs
from eval.runs.reading import Run, list_runs
from tests.eval.uploads import FIGURES, document


def runs(folder: Path, **changes: Any) -> list[Run]:
    """Runs on two sets, of which the second has these changes."""
    second = {"set": "shirt", "queries": 900, "metrics": FIGURES | {"recall@10": 0.4}} | changes
    second["modes"] = {"composed": second["metrics"]}
    for name, content in (("a", document(set="dress")), ("b", document(**second))):
        (folder / name).mkdir()
        (folder / name / "run.json").write_bytes(content)
    return sorted(list_runs(folder)[0], key=lambda run: run.name)


def test_each_set_counts_once_however_many_queries_it_has(tmp_path: Path) -> None:
    told = mean_of_runs(runs(tmp_path))
    assert told["sets"] == ["dress", "shirt"]
    assert list(told["modes"]) == ["composed"], "only what every run has"
    assert told["modes"]["composed"]["recall@10"] == pytest.approx(0.7)
    assert told["modes"]["composed"]["recall@1"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"set": "dress"}, "same set"),
        ({"encoder": "bge-vl-base"}, "different encoders"),
        ({"encoder_fingerprint": "1"}, "different encoders"),
        ({"settings": {"format": "cirr"}}, "different benchmarks"),
        ({"settings": {"keep_reference": True}}, "whether the reference stays"),
        ({"settings": {"small_gallery": True}}, "search references and targets"),
        ({"settings": {"both_orders": True}}, "average both orders"),
        ({"settings": {"split": "test"}}, "the split"),
        ({"settings": {"template": "bge-vl"}}, "the template"),
        ({"settings": {"balance": 0.25}}, "the search option balance"),
        ({"absent": {"targets": 1}}, "lacked images of its set"),
    ],
)
def test_what_cannot_be_averaged_is_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        mean_of_runs(runs(tmp_path, **changes))


def fashioniq(folder: Path, categories: list[str], **changes: Any) -> list[Run]:
    """Runs on categories of FashionIQ."""
    for name in categories:
        (folder / name).mkdir()
        settings = {"format": f"fashioniq-{name}"}
        content = document(set=f"fashioniq-{name}", settings=settings, **changes)
        (folder / name / "run.json").write_bytes(content)
    return list_runs(folder)[0]


def test_fashioniq_is_the_mean_of_its_three_categories(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a run of fashioniq-toptee is missing"):
        mean_of_runs(fashioniq(tmp_path, ["dress", "shirt"]))
    assert "notes" not in mean_of_runs(
        [*list_runs(tmp_path)[0], *fashioniq(tmp_path / "dress", ["toptee"])]
    )


def test_a_category_under_two_names_is_one(tmp_path: Path) -> None:
    found = fashioniq(tmp_path, ["dress", "shirt", "toptee"])
    again = replace(found[0], name="again", set="my dresses")
    with pytest.raises(UsageError, match="name one run a set"):
        mean_of_runs([*found, again])
    with pytest.raises(UsageError, match="name one run a set"):
        mean_of_runs(
            [
                replace(run, document={**run.document, "set_fingerprint": "1"})
                for run in runs(tmp_path / "dress")
            ]
        )


def test_a_mean_over_galleries_that_lack_images_says_so(tmp_path: Path) -> None:
    lacking = {"absent": {"others": 3}}
    told = mean_of_runs(fashioniq(tmp_path, ["dress", "shirt", "toptee"], **lacking))
    assert "lacked images" in told["notes"][0]


def test_one_run_is_no_mean(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two runs or more"):
        mean_of_runs(runs(tmp_path)[:1])
