"""Figures as tables for papers: Markdown and LaTeX."""

from collections.abc import Mapping, Sequence
from typing import Literal

from eval.comparison.comparing import Comparison, count_of
from eval.comparison.paired import LEVEL
from eval.measures import heading, parse_measure
from eval.runs.ranks import MODE_NAMES
from eval.runs.reading import Run

TableKind = Literal["markdown", "latex"]

SUFFIXES: Mapping[TableKind, str] = {"markdown": "md", "latex": "tex"}
"""Ends of the names of such files."""

_MARK = {"markdown": "†", "latex": r"$^{\dagger}$"}
_SPECIAL = {each: f"\\{each}" for each in "&%$#_{}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def run_table(run: Run, kind: TableKind) -> str:
    """A row for each way to ask, a column for each measure that all have; the best is bold."""
    rows = {MODE_NAMES[mode]: figures for mode, figures in run.modes.items()}
    caption = f"{run.set}, {count_of(run.queries)}, encoder {run.encoder}."
    return _table(rows, {}, caption, kind)


def comparison_table(compared: Comparison, kind: TableKind) -> str:
    """A row for each contender, a column for each measure; the best is bold.

    A dagger marks what differs from the first contender with p < 0.05, after Holm's correction for
    several contenders.
    """
    first, *others = compared.contenders
    labels = [each.label for each in compared.contenders]
    rows = dict(zip(labels, compared.figures, strict=True))
    sure = {
        (other.label, name): _MARK[kind]
        for other, differences in zip(others, compared.differences, strict=True)
        for name, it in differences.items()
        if it.p_holm < LEVEL
    }
    over = f" by a paired randomisation test {compared.over}".rstrip()
    caption = f"{first.run.set}, {count_of(compared.queries)}."
    if sure:
        caption += f" {_MARK[kind]}: differs from {labels[0]}{over} (Holm), p < {LEVEL}."
    return _table(rows, sure, caption, kind)


def _table(
    rows: Mapping[str, Mapping[str, float]],
    marks: Mapping[tuple[str, str], str],
    caption: str,
    kind: TableKind,
) -> str:
    """The table in percent, with one digit after the point, as papers have them."""
    names = [
        name
        for name in next(iter(rows.values()), {})
        if all(name in figures for figures in rows.values())
    ]
    best = {}
    for name in names:
        column = [figures[name] for figures in rows.values()]
        best[name] = min(column) if parse_measure(name).lower_is_better else max(column)
    cells = [
        [
            _text(label, kind),
            *(
                _figure(figures[name], figures[name] == best[name] and len(rows) > 1, kind)
                + marks.get((label, name), "")
                for name in names
            ),
        ]
        for label, figures in rows.items()
    ]
    headings = ["", *(_text(heading(name), kind) for name in names)]
    # The caption may hold a mark, which is no text to be escaped.
    mark = _MARK[kind]
    said = mark.join(_text(part, kind) for part in caption.split(mark))
    return (_latex if kind == "latex" else _markdown)(headings, cells, said)


def _figure(value: float, bold: bool, kind: TableKind) -> str:
    text = f"{100 * value:.1f}"
    if not bold:
        return text
    return f"\\textbf{{{text}}}" if kind == "latex" else f"**{text}**"


def _text(text: str, kind: TableKind) -> str:
    if kind == "latex":
        return "".join(_SPECIAL.get(letter, letter) for letter in text)
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def _markdown(headings: Sequence[str], cells: Sequence[Sequence[str]], caption: str) -> str:
    lines = [headings, ["---", *("---:" for _ in headings[1:])], *cells]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", caption, ""])


def _latex(headings: Sequence[str], cells: Sequence[Sequence[str]], caption: str) -> str:
    def line(row: Sequence[str]) -> str:
        return f"    {' & '.join(row)} \\\\"

    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            "\\begin{table}",
            "  \\centering",
            f"  \\caption{{{caption} Percent.}}",
            f"  \\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}",
            "    \\toprule",
            line(headings),
            "    \\midrule",
            *map(line, cells),
            "    \\bottomrule",
            "  \\end{tabular}",
            "\\end{table}",
            "",
        ]
    )
