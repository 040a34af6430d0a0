"""Tables for papers."""

from pathlib import Path

from eval.comparison.comparing import compare
from eval.reporting.tables import comparison_table, run_table
from eval.runs.reading import open_upload
from tests.eval.comparison.test_compare import STRONG, WEAK, contenders, put_run
from tests.eval.uploads import document


def test_a_comparison_is_a_table_with_the_best_in_bold_and_what_is_sure(tmp_path: Path) -> None:
    names = {"weak_one": WEAK, "strong": STRONG}
    compared = compare(
        contenders(*(put_run(tmp_path / n, {"composed": r}) for n, r in names.items()))
    )
    lines = comparison_table(compared, "markdown").splitlines()
    assert lines[0] == "|  | recall@1 | recall@5 | recall@10 | recall@50 | MRR |"
    assert lines[2].startswith("| weak\\_one | **20.0** | 20.0 | 20.0 | ")
    assert lines[3].startswith("| strong | **20.0** | **50.0**† | **50.0**† | ")
    assert lines[5] == (
        "dev, 100 queries. †: differs from weak\\_one by a paired randomisation test (Holm), "
        "p < 0.05."
    )
    latex = comparison_table(compared, "latex")
    assert r"    weak\_one & \textbf{20.0} & 20.0 &" in latex
    assert r"\textbf{50.0}$^{\dagger}$" in latex
    assert r"\caption{dev, 100 queries. $^{\dagger}$: differs from weak\_one" in latex
    assert r"\begin{tabular}{lrrrrr}" in latex


def test_a_run_is_a_table_of_its_ways_to_ask() -> None:
    run = open_upload("a.json", document(set="a|b & 50%"))
    table = run_table(run, "markdown").splitlines()
    assert [line.split(" |")[0] for line in table[2:4]] == ["| Composed", "| Sum"]
    assert "a\\|b" in table[-1]
    assert r"a|b \& 50\%" in run_table(run, "latex")
