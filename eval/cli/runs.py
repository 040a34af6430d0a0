"""The commands of `python -m eval` that look at runs: comparing them, and a report of one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cir.cli.console import AsJson, Token, Uri, print_document, read_token
from cir.settings import load_settings
from eval.cli.sets import NotWorse, Root, SetName, Split, check_demands
from eval.cli.summary import new_console, parse_minimum, print_figures
from eval.cli.words import command
from eval.comparison.comparing import HEADINGS, Comparison, compare
from eval.comparison.difficulty import difficulty, named_systems
from eval.comparison.gate import falls, figures_of, shortfalls
from eval.comparison.means import compare_means
from eval.comparison.paired import Contender, contender
from eval.runs.averaging import mean_of_runs
from eval.runs.pooling import USUAL_DEPTH, pool
from eval.runs.reading import open_run
from eval.runs.shortcuts import USUAL_K, audit

Demanded = Annotated[
    list[str] | None,
    typer.Option(
        "--min",
        metavar="MEASURE=VALUE",
        help="Exit with 3 when this measure of the run is lower, for example recall@10=0.7; of "
        "compare, that of every run but the first; repeatable.",
    ),
]


def add_run_commands(app: typer.Typer) -> None:
    """Give the app these commands."""
    app.command("compare")(_compare)
    app.command("mean")(_mean)
    app.command("difficulty")(_difficulty)
    app.command("report")(_report)
    app.command("pool")(_pool)
    app.command("shortcuts")(_shortcuts)


def _compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN...",
            help="Folders of runs, or their names; RUN:sum, RUN:image and RUN:text are a run's "
            "ablations. The first is what the others are compared with.",
        ),
    ],
    measure: Annotated[
        str | None,
        typer.Option(
            help="What to draw conclusions about, for example recall@20; else recall@10. One that "
            "the rank of the first target decides is worked out; others must have been measured."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of resamples and random signs.")] = 0,
    minimum: Demanded = None,
    not_worse_than: NotWorse = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs of one labelled set: differences, intervals, and what may be chance."""
    with command(as_json):
        runs_dir = load_settings().runs_dir
        first = [] if not_worse_than is None else [not_worse_than]
        contenders = [contender(text, runs_dir) for text in (*first, *runs)]
        compared = compare(contenders, measure=measure, seed=seed)
        missed = [
            f"{one.label}: {words}"
            for one in (contenders[1:] if minimum else ())
            for words in _shortfalls(one, minimum)
        ]
        worse = falls(compared) if not_worse_than is not None else []
    if as_json:
        gated = {} if not_worse_than is None else {"worse": worse}
        print_document(compared.document() | gated)
    else:
        _print_comparison(compared, new_console())
    check_demands(missed, worse)


def _shortfalls(one: Contender, minimums: Sequence[str] | None) -> list[str]:
    demanded = [parse_minimum(text) for text in minimums or ()]
    figures = figures_of(one, [each for each, _ in demanded])
    return shortfalls(figures, [(str(each), value) for each, value in demanded])


def _mean(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="Folders of runs, or their names.")
    ],
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            help="Another system's run on one of the sets, once for each: gives the difference of "
            "the two means, tested over all queries together; repeatable.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Average runs on different sets: FashionIQ is reported as the mean of three categories."""
    compared = None
    with command(as_json):
        runs_dir = load_settings().runs_dir
        opened = [open_run(run, runs_dir) for run in runs]
        document = mean_of_runs(opened)
        if against:
            compared = compare_means([open_run(run, runs_dir) for run in against], opened)
            document["comparison"] = compared.document()
    if as_json:
        print_document(document)
        return
    modes = document["modes"]
    for names in dict.fromkeys(tuple(figures) for figures in modes.values()):
        lines = [(mode, None, each) for mode, each in modes.items() if tuple(each) == names]
        print_figures(f"Mean of {', '.join(document['sets'])}", names, lines, (), new_console())
    for note in document.get("notes", ()):
        typer.echo(note)
    if compared is not None:
        typer.echo(str(compared))


def _difficulty(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Folders of runs of one labelled set, or their names, as of compare; with one "
            "alone, all runs of its set that were asked the same way are looked at.",
        ),
    ],
    measure: Annotated[
        str | None, typer.Option(help="By which a query is found or missed; else recall@10.")
    ] = None,
    count: Annotated[
        int, typer.Option("--queries", min=1, help="How many queries each table shows.")
    ] = 10,
    csv: Annotated[
        Path | None, typer.Option(help="Also write all queries to this file; it is replaced.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Which queries every run misses, which separate runs, whose labels need a second look."""
    with command(as_json):
        systems = named_systems(runs, load_settings().runs_dir)
        found = difficulty(systems, measure=measure)
        if csv is not None:
            csv.write_text(found.csv(), encoding="utf-8")
    if as_json:
        print_document(found.document())
        return
    console = new_console()
    headings = ("query", "instruction", found.measure, "separates", "a second look, because")
    for title, queries in (
        (f"Missed by all {len(systems)} runs", found.hard()),
        ("Separate the runs best", found.separating()),
        ("Labels worth a second look", found.doubtful()),
    ):
        rows = [
            (
                query.id,
                query.instruction,
                f"{query.mean:.2f}",
                "" if query.separates is None else f"{query.separates:+.2f}",
                "; ".join(query.doubts),
            )
            for query in queries[:count]
        ]
        _print_rows(f"{title}: {len(queries)}", headings, rows, console)
    for note in found.notes:
        console.print(Text(note), soft_wrap=True)


def _pool(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Runs of several systems: folders or names."),
    ],
    labelled_set: SetName,
    root: Root = None,
    split: Split = None,
    at: Annotated[
        int, typer.Option(min=1, help="How many images of each ranking are pooled.")
    ] = USUAL_DEPTH,
    as_json: AsJson = False,
) -> None:
    """Name what several runs found for a set and nobody has judged: query and image, by tab."""
    from eval.sets.catalogue import load_place, place_of

    with command(as_json):
        settings = load_settings()
        labelled = load_place(place_of(labelled_set, root, settings), split)
        pooled = pool(labelled, [open_run(run, settings.runs_dir) for run in runs], depth=at)
    if as_json:
        print_document({"depth": at, "queries": pooled})
        return
    for query, images in pooled.items():
        for image in images:
            typer.echo(f"{query}\t{image}")


def _report(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or its name.")],
    html: Annotated[Path, typer.Option(help="The page to write; it is replaced.")],
    measure: Annotated[
        str | None,
        typer.Option(help="What composing and groups are told in, as of compare; else recall@10."),
    ] = None,
    queries: Annotated[
        int, typer.Option(min=0, max=1000, help="How many of the worst and best queries to show.")
    ] = 10,
    minimum: Demanded = None,
    not_worse_than: NotWorse = None,
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write a run as one HTML page with pictures, to be opened anywhere, offline."""
    # Here, so that --help does not wait for it.
    from eval.reporting.page import write_report

    with command(as_json):
        settings = load_settings(uri=uri, token=read_token(token))
        opened = open_run(run, settings.runs_dir)
        before = not_worse_than and contender(not_worse_than, settings.runs_dir)
        one = Contender(opened)
        worse = falls(compare([before, one], measure=measure)) if before else []
        missed = _shortfalls(one, minimum) if minimum else []
        lacks = write_report(opened, html, settings, measure=measure, count=queries)
    if as_json:
        gated = {"worse": worse} if before else {}
        print_document({"report": str(html), "notes": lacks} | gated)
    else:
        typer.echo("\n".join([*lacks, str(html)]))
    check_demands(missed, worse)


def _shortcuts(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN [RUN...]",
            help="Folders of runs with ablations, or their names; several of one set are pooled.",
        ),
    ],
    at: Annotated[
        int, typer.Option(min=1, help="Up to which rank a target solves a query.")
    ] = USUAL_K,
    as_json: AsJson = False,
) -> None:
    """Audit a labelled set: which queries the image alone, the text alone or their sum solve."""
    with command(as_json):
        runs_dir = load_settings().runs_dir
        audited = audit([open_run(run, runs_dir) for run in runs], k=at)
    if as_json:
        print_document(audited.document())
        return
    console = new_console()
    table = Table(title=Text(f"Solved at rank {at} by"), title_justify="left", box=SIMPLE)
    for heading in ("", "queries", *audited.counts):
        table.add_column(heading, justify="right" if heading else "left")
    for number, (name, counts) in enumerate([("all", audited.counts), *audited.groups.items()]):
        table.add_row(Text(name), str(sum(counts.values())), *map(str, counts.values()))
        if number == 0:
            table.add_section()
    console.print(table)
    for sentence in audited.words():
        console.print(Text(sentence), soft_wrap=True)


def _print_comparison(compared: Comparison, console: Console) -> None:
    for other, groups in enumerate(compared.groups):
        _print_rows(compared.title(other), HEADINGS, compared.rows(other), console)
        if groups:
            rows = compared.group_rows(other)
            _print_rows(compared.group_title(other), compared.group_headings, rows, console)
    for line in (compared.legend, *compared.words(), *compared.group_words(), *compared.notes):
        console.print(Text(line), soft_wrap=True)


def _print_rows(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], console: Console
) -> None:
    table = Table(title=Text(title), title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", no_wrap=bool(place))
    for cells in rows:
        table.add_row(*map(Text, cells))
    console.print(table)
