"""The mean of runs on several sets."""

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
    ],
)
def test_what_cannot_be_averaged_is_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        mean_of_runs(runs(tmp_path, **changes))


def test_one_run_is_no_mean(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two runs or more"):
        mean_of_runs(runs(tmp_path)[:1])
