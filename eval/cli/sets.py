"""The commands of `python -m eval` beside `run`: scoring files, and keeping a list of sets."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cir.cli.console import (
    ENCODER,
    MISSED_MINIMUM,
    WORSE,
    AsJson,
    print_document,
    with_parameters,
)
from cir.settings import load_settings
from eval.cli.summary import new_console, parse_minimum, print_figures, print_tables
from eval.cli.words import command
from eval.comparison.gate import shortfalls
from eval.measures import Measure, parse_measure, patterns
from eval.sets.formats import format_names, formats

_NAMES = format_names()
_SERVED = " or ".join(each.title for each in formats() if each.write_submission)

Measured = Annotated[
    list[str] | None,
    typer.Option(
        "--measure",
        metavar="NAME",
        help=f"Measure this, too, for example recall@20: one of {patterns()}, or several joined by "
        "+ for their mean; repeatable.",
    ),
]
_File = typer.Option(help="As FILE, for what the system finds by this alone.")
Minimum = Annotated[
    list[str] | None,
    typer.Option(
        "--min",
        metavar="MEASURE=VALUE",
        help="Measure this and exit with 3 when it is lower, for example recall@10=0.7; "
        "repeatable.",
    ),
]
NotWorse = Annotated[
    str | None,
    typer.Option(
        "--not-worse-than",
        metavar="RUN",
        help="Compare with this run of the same set and exit with 4 where this one is worse by "
        "more than chance explains, over all queries or in a group.",
    ),
]
SetName = Annotated[
    str,
    typer.Option(
        "--set",
        help=f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]} with --root; a name that python -m eval "
        "sets lists, of which sample and sample-hard are drawn if need be; or the folder of a "
        "native one.",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(help="Folder of the annotation files, laid out flat or as their authors do."),
]
SearchedIndex = Annotated[
    str | None, typer.Option("--index", help="Index to search, instead of a folder.")
]
SearchedBy = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        help="Encoder; without it the index's own, or the default.",
        rich_help_panel=ENCODER,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(help="Native: the qrels file, test or the only one; else val. Others: test1."),
]
KeepReference = Annotated[
    bool | None,
    typer.Option(
        "--keep-reference/--remove-reference",
        help="Whether the reference image stays in the ranking; else as the set's protocol says.",
        show_default=False,
    ),
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Count images that are absent as never found.")
]


def with_format_options(work: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a flag for each option of a format, in place of its parameter `reading`."""
    flags = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False,
            annotation=Annotated[
                bool,
                typer.Option(
                    f"--{option.name.replace('_', '-')}", help=f"{each.title}: {option.help}."
                ),
            ],
        )
        for each in formats()
        for option in each.options
    ]
    return with_parameters(work, "reading", flags, lambda given: given)


def asked_measures(
    names: Sequence[str] | None, minimums: Sequence[str] | None
) -> tuple[list[Measure], list[tuple[str, float]]]:
    """What is measured beside the set's protocol, and the minimum that some of it must reach.

    Raises:
        UsageError: there is no such measure, or a minimum is no number from 0 to 1.
    """
    demanded = [parse_minimum(text) for text in minimums or ()]
    measures = [*map(parse_measure, names or ()), *(measure for measure, _ in demanded)]
    return measures, [(str(measure), value) for measure, value in demanded]


def add_commands(app: typer.Typer) -> None:
    """Give the app these commands."""
    app.command("score")(_score)
    app.command("import")(with_format_options(_import))
    app.command("reword")(_reword)
    app.command("check")(_check)
    app.command("agreement")(_agreement)
    app.command("sets")(_sets)
    app.command("register")(_register)
    app.command("forget")(_forget)
    app.command("submission")(_submission)


def check_minimums(metrics: Mapping[str, float], minimums: Sequence[tuple[str, float]]) -> None:
    """Exit with its own code where a figure is below what was demanded, or was not measured."""
    check_demands(shortfalls(metrics, minimums))


def check_demands(missed: Sequence[str], worse: Sequence[str] = ()) -> None:
    """Say what fell short, and exit with the code of it; that of a minimum goes first.

    Args:
        missed: minimums that were missed, in words.
        worse: in what a run is worse than the one that it must not be worse than.
    """
    if missed:
        typer.echo(f"Minimum missed: {'; '.join(missed)}.", err=True)
    for words in worse:
        typer.echo(f"{words}.", err=True)
    if missed or worse:
        raise typer.Exit(MISSED_MINIMUM if missed else WORSE)


def _score(
    labelled_set: SetName,
    run: Annotated[Path, typer.Option(help="A TREC run file, or a submission file.")],
    root: Root = None,
    subset_run: Annotated[
        Path | None,
        typer.Option(help="CIRR: rankings of the candidates alone, for recall_subset."),
    ] = None,
    split: Split = None,
    keep_reference: KeepReference = None,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing", help="Count queries that are not ranked as never found, not refuse."
        ),
    ] = False,
    measure: Measured = None,
    minimum: Minimum = None,
    as_json: AsJson = False,
) -> None:
    """Score rankings that any system wrote: needs no images and no encoder."""
    from eval.evaluation.scoring import measures_of, score_file
    from eval.sets.catalogue import load_set, place_of

    with command(as_json):
        place = place_of(labelled_set, root, load_settings())
        further, minimums = asked_measures(measure, minimum)
        labelled = load_set(place.format, place.root, split)
        scored = score_file(
            labelled,
            run,
            subset_run=subset_run,
            keep_reference=keep_reference,
            measures=measures_of(labelled, further),
            allow_missing=allow_missing,
        )
    document = scored.document | {"set": place.name}
    for note in (*scored.notes, *_left_out(scored.left_out, run)):
        typer.echo(note, err=True)
    if as_json:
        print_document(document)
    else:
        names, queries = list(document["metrics"]), document["queries"]
        groups = [(name, values["queries"], values) for name, values in document["groups"].items()]
        lines = [("all", queries, document["metrics"])]
        print_figures(f"{place.name}, {run}", names, lines, groups, new_console())
    check_minimums(document["metrics"], minimums)


def _import(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A TREC run file, a submission file, JSON of {query: {image: score}}, or an .npz "
            "of embeddings: gallery, gallery_ids, queries, query_ids, perhaps image, text, sum; "
            "or a Parquet file of them: part, id, vector.",
        ),
    ],
    labelled_set: SetName,
    system: Annotated[str, typer.Option(help="What the run calls the system.")],
    root: Root = None,
    image: Annotated[Path | None, _File] = None,
    text: Annotated[Path | None, _File] = None,
    sum_: Annotated[
        Path | None, typer.Option("--sum", help="As FILE, for the sum of image and text.")
    ] = None,
    subset_run: Annotated[
        Path | None,
        typer.Option(help="CIRR: rankings of the candidates alone, for recall_subset."),
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(help="Folder of the images that were searched: pictures are shown from it."),
    ] = None,
    split: Split = None,
    keep_reference: KeepReference = None,
    *,
    reading: Mapping[str, bool],
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            help="Count queries that are not ranked and absent images as never found, not refuse.",
        ),
    ] = False,
    measure: Measured = None,
    minimum: Minimum = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run, new or empty; else a new one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a run of what any system found, to compare, report and look into as any other."""
    from eval.evaluation.importing import Request, import_run
    from eval.sets.catalogue import load_place, place_of

    with command(as_json):
        settings = load_settings()
        place = place_of(labelled_set, root, settings)
        measures, minimums = asked_measures(measure, minimum)
        ablations = {"image": image, "text": text, "sum": sum_}
        request = Request(
            system=system,
            rankings=file,
            ablations={mode: given for mode, given in ablations.items() if given is not None},
            subset_rankings=subset_run,
            gallery=gallery,
            keep_reference=keep_reference,
            allow_missing=allow_missing,
            measures=measures,
            out=out,
        )
        document = import_run(load_place(place, split, reading), request, settings)
    if as_json:
        print_document(document)
    else:
        print_tables(document, new_console())
    check_minimums(document["metrics"], minimums)


def _reword(
    labelled_set: SetName,
    out: Annotated[Path, typer.Option(help="Folder of the new set.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="typo, typos, capitals, polite, synonyms or paraphrase; repeatable. Without it "
            "typo, polite, capitals and synonyms."
        ),
    ] = None,
    split: Split = None,
    as_json: AsJson = False,
) -> None:
    """Write a native set with further wordings of its instructions, to see what they cost."""
    from eval.model_card.rewording import USUAL_WORDINGS, reword
    from eval.sets.catalogue import load_place, place_of

    with command(as_json):
        place = place_of(labelled_set, None, load_settings())
        added = reword(load_place(place, split), out, kind or USUAL_WORDINGS)
    if as_json:
        print_document({"set": str(out), "added": added})
    else:
        told = ", ".join(f"{name} {count}" for name, count in added.items())
        typer.echo(f"Wordings added: {told}.\n{out}")


def _check(
    labelled_set: SetName,
    root: Root = None,
    gallery: Annotated[
        Path | None, typer.Option(help="Folder of its images: they are read to find copies.")
    ] = None,
    split: Split = None,
    as_json: AsJson = False,
) -> None:
    """Say what is doubtful about a labelled set: queries asked twice, copies of images, leaks."""
    from eval.evaluation.gallery import check_folder
    from eval.sets.catalogue import images_of, load_place, place_of
    from eval.sets.hygiene import doubts

    with command(as_json):
        settings = load_settings()
        place = place_of(labelled_set, root, settings)
        folder = gallery or images_of(place)
        if folder is not None:
            check_folder(folder)
        found = doubts(load_place(place, split), folder, settings)
    if as_json:
        print_document({each.kind: dict(each.found) for each in found})
        return
    for each in found:
        some = "; ".join(f"{name}: {', '.join(what)}" for name, what in [*each.found.items()][:3])
        more = "; ..." if len(each.found) > 3 else ""
        typer.echo(f"{len(each.found)} {each.words} ({some}{more}).")
    if not found:
        typer.echo("Nothing doubtful was found.")


def _agreement(
    first: Annotated[Path, typer.Argument(help="Folder of the first annotator's native set.")],
    second: Annotated[Path, typer.Argument(help="Of the second's; it may be the same folder.")],
    split: Split = None,
    second_split: Annotated[
        str | None, typer.Option(help="The second's qrels file; as --split.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two annotators of the same queries: Cohen's kappa, and what they dispute."""
    from eval.sets.agreement import agreement
    from eval.sets.formats.native import load_native

    with command(as_json):
        found = agreement(load_native(first, split), load_native(second, second_split))
    if as_json:
        print_document(found.document())
        return
    typer.echo(found.words())
    for query, images in found.disputed.items():
        typer.echo(f"{query}: {', '.join(images)}")


def _left_out(measures: Sequence[Measure], run: Path) -> list[str]:
    families = sorted({measure.family for measure in measures})
    return [
        f"{run} does not rank every candidate of each query, so {family} is left out: "
        "name a search among the candidates alone with --subset-run."
        for family in families
    ]


def _sets(
    root: Annotated[
        Path | None,
        typer.Option(help="Look for published sets here, instead of at the registered places."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the labelled sets that have a name, and what each lacks."""
    from eval.sets.catalogue import overview

    with command(as_json):
        states = [_with_command(state) for state in overview(load_settings(), root)]
    if as_json:
        print_document(states)
    else:
        _print_sets(states, new_console())


def _with_command(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a set; one that was not registered says by which command it is."""
    from eval.sets.catalogue import SAMPLES

    if state["root"] is not None or state["name"] in SAMPLES:
        return dict(state)
    command = f"python -m eval register {state['name']} --root FOLDER --images FOLDER"
    return {**state, "lacks": [f"{lack}: {command}" for lack in state["lacks"]]}


def _print_sets(states: list[dict[str, Any]], console: Console) -> None:
    table = Table(box=SIMPLE)
    for heading in ("name", "format", "split"):
        table.add_column(heading)
    for heading in ("queries", "gallery"):
        table.add_column(heading, justify="right")
    for state in states:
        cells = [state[key] for key in ("name", "format", "split", "queries", "gallery")]
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in cells))
    console.print(table)
    for state in states:
        for lack in state["lacks"]:
            console.print(Text(f"{state['name']}: {lack}"), soft_wrap=True)


def _register(
    name: Annotated[str, typer.Argument(help="What the set is called from now on.")],
    root: Annotated[Path, typer.Option(help="Folder of its annotation files.")],
    images: Annotated[Path | None, typer.Option(help="Folder of its images.")] = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format", help="How it is read; without it the name, if that is a format's."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remember where a labelled set and its images are, so that its name is enough."""
    from eval.sets.catalogue import NATIVE_NAME, Place, register

    with command(as_json):
        chosen = format_name or (name if name in format_names() else NATIVE_NAME)
        register(Place(name, chosen, root, images), load_settings())
    if as_json:
        print_document({"registered": name})
    else:
        typer.echo(f"Registered {name!r}.")


def _forget(
    name: Annotated[str, typer.Argument(help="Name of the set.")], as_json: AsJson = False
) -> None:
    """Take a labelled set off the list; its files stay."""
    from eval.sets.catalogue import forget

    with command(as_json):
        forget(name, load_settings())
    if as_json:
        print_document({"forgotten": name})
    else:
        typer.echo(f"{name!r} is no longer registered.")


def _submission(
    run: Annotated[Path, typer.Argument(help=f"Folder of a run of {_SERVED}, or its name.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    as_json: AsJson = False,
) -> None:
    """Write the submission files of a run for the benchmark's test server."""
    from eval.runs.rankings import write_submission
    from eval.runs.reading import open_run

    with command(as_json):
        files = write_submission(open_run(run, load_settings().runs_dir), out)
    if as_json:
        print_document({"files": [str(path) for path in files]})
    else:
        typer.echo("\n".join(map(str, files)))
