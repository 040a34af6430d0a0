"""`recompose` or `python -m cir`: index, search and manage from the command line."""

from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cir.cli.console import (
    ENCODER,
    QUERY,
    AsJson,
    Commands,
    Device,
    Precision,
    Token,
    Tokenizer,
    Uri,
    Weights,
    command,
    print_document,
    progress_bar,
    read_token,
    takes,
)
from cir.errors import RecomposeError, UsageError
from cir.search.options import SearchOptions

if TYPE_CHECKING:
    from cir.rerank.fusing import Outcome
    from cir.settings import Settings
    from cir.store import MilvusStore

app = typer.Typer(
    cls=Commands,
    help="Find images by a picture and a sentence. Settings may also stand in the environment "
    "(CIR_MILVUS_URI, CIR_MILVUS_TOKEN, CIR_DATA_DIR, CIR_ENCODER) or in .streamlit/secrets.toml.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command("index")
def index_command(
    folder: Annotated[
        str,
        typer.Argument(
            help="Folder of images; subfolders are included. With --re-encode the index's name."
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Name of the index, new or existing; needed for a folder.",
            show_default=False,
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder of a new index, or to move to with --re-encode; see `encoders`.",
            show_default=False,
            rich_help_panel=ENCODER,
        ),
    ] = None,
    metadata: Annotated[
        Path | None,
        typer.Option(
            help="Table of values for the images (CSV, TSV, JSON lines, Parquet). "
            "Default: metadata.csv in the folder, where there is one.",
            show_default=False,
        ),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove images whose file is gone.")
    ] = False,
    re_encode: Annotated[
        bool,
        typer.Option(
            "--re-encode",
            help="Encode an index anew, by another encoder or by its own as it is now. Until all "
            "is encoded it is searched as before.",
        ),
    ] = False,
    weights: Weights = None,
    tokenizer: Tokenizer = None,
    device: Device = None,
    precision: Precision = "auto",
    download: Annotated[
        bool,
        typer.Option(
            "--download",
            help="Fetch the encoder's weights without asking.",
            rich_help_panel=ENCODER,
        ),
    ] = False,
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Index a folder, bring its index up to date, or move an index to another encoder.

    A call that is cut short continues when it is repeated.
    """
    from cir.cli import output as report

    with command(as_json, "Interrupted. Repeat the same command to continue."):
        from cir.access import link_roots, require_indexable
        from cir.cli.encoders import encoder_to_index, new_encoder
        from cir.encoders.registry import choice_of_index, choose
        from cir.indexing.folder import ingest
        from cir.indexing.reencode import reencode

        if re_encode and (name is not None or metadata is not None or prune):
            raise UsageError(
                "--re-encode takes the name of an index in the place of a folder, and neither "
                "--name, --metadata nor --prune: its images and their metadata stay as they are."
            )
        settings, store = _open(uri, token, encoder, device)
        choice = choose(settings, weights=weights, tokenizer=tokenizer, precision=precision)
        if re_encode:
            index = store.open(folder, strong=True)
            if encoder is None or choice.name == index.info.encoder:
                choice = choice_of_index(index.info, choice)
            engine = new_encoder(choice, download=download)
            with progress_bar() as on_progress:
                moved = reencode(index, engine, settings, local=True, on_progress=on_progress)
        elif name is None:
            raise UsageError("Name the index that the folder's images go into: --name NAME")
        else:
            images = require_indexable(Path(folder), settings, local=True)
            engine = encoder_to_index(store, name, encoder, choice, download=download)
            with progress_bar() as on_progress:
                result = ingest(
                    store,
                    images,
                    name,
                    engine,
                    metadata=metadata,
                    prune=prune,
                    roots=link_roots(settings),
                    on_progress=on_progress,
                )
    if re_encode and as_json:
        print_document(report.reencode_document(moved))
    elif re_encode:
        report.print_reencode(moved)
    elif as_json:
        print_document(report.ingest_document(result))
    else:
        report.print_ingest(result, settings)


@app.command("sample")
def sample_command(
    tutorial: Annotated[
        bool,
        typer.Option("--tutorial", help="Index the Milvus tutorial's photos instead."),
    ] = False,
    archive: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="The tutorial's archive, needed once. Without it, you are told where to get it.",
            show_default=False,
        ),
    ] = None,
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Draw a catalogue of garments and index it: something to search in within seconds."""
    from cir.cli import output as report

    with command(as_json, "Interrupted. Repeat the same command to continue."):
        from cir.cli.encoders import new_encoder
        from cir.encoders.registry import choose
        from cir.sample.building import build_sample, build_tutorial

        settings, store = _open(uri, token)
        engine = new_encoder(choose(settings))
        with progress_bar() as on_progress:
            if tutorial:
                result = build_tutorial(store, settings, engine, archive, on_progress)
            else:
                result = build_sample(store, settings, engine, on_progress)
    if as_json:
        print_document(report.ingest_document(result))
    else:
        report.print_ingest(result, settings)


@app.command("search")
@takes(SearchOptions)
def search_command(
    name: Annotated[str, typer.Argument(help="Name of the index.")],
    image: Annotated[
        list[str] | None,
        typer.Option(
            help="Reference image, a file or the id of an image of the index; repeatable, then "
            'with a weight each, "FILE*0.5".',
            show_default=False,
            rich_help_panel=QUERY,
        ),
    ] = None,
    text: Annotated[
        str,
        typer.Option(
            help='Instruction, for example "in red".', show_default=False, rich_help_panel=QUERY
        ),
    ] = "",
    *,
    options: SearchOptions,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder that made the index, where it may run code: module:attribute, st:FOLDER.",
            show_default=False,
            rich_help_panel=ENCODER,
        ),
    ] = None,
    weights: Weights = None,
    tokenizer: Tokenizer = None,
    device: Device = None,
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Find the images of an index nearest to a picture, a sentence, or both."""
    from cir.cli import output as report

    with command(as_json):
        from cir.encoders.registry import choice_of_index, choose, load_ahead, load_encoder
        from cir.search import is_nothing_close, search, usual_scores
        from cir.search.exports import search_document
        from cir.search.references import opened_files, query_of

        images = image or []
        references = opened_files(images)  # first: what is wrong needs no store
        settings, store = _open(uri, token, device=device)
        choice = choose(settings, encoder, weights=weights, tokenizer=tokenizer)
        load_ahead(replace(choice, precision="exact"))
        index = store.open(name)
        if encoder is None:
            choice = choice_of_index(index.info, choice)
        query = query_of(index, references, text, settings)
        engine = load_encoder(choice, download=False)
        report.warn(index.info, engine, query)
        outcomes: list[Outcome] = []
        hits = search(index, engine, query, options, settings=settings, on_rerank=outcomes.append)
        report.warn_reranked(outcomes)
        usual = None
        with suppress(RecomposeError):  # what is found is shown all the same
            usual = usual_scores(index, engine)
        far = is_nothing_close(usual, query, hits, options)
        if far and usual is not None:
            report.warn_far(usual, query, hits, options)
        if index.is_behind():
            report.warn_behind(index.info)
    if as_json:
        asked = {
            "image": images[0] if images else None,
            "more": images[1:],
            "text": text,
            **asdict(options),
        }
        print_document(search_document(index.info, asked, hits, far, outcomes))
    else:
        report.print_hits(hits)


@app.command("indexes")
def indexes_command(uri: Uri = None, token: Token = None, as_json: AsJson = False) -> None:
    """List the indexes."""
    from cir.cli import output as report

    with command(as_json):
        _, store = _open(uri, token)
        infos = store.list()
    if as_json:
        print_document({"indexes": [report.index_document(info) for info in infos]})
    else:
        report.print_indexes(infos, store.backend)


@app.command("title")
def title_command(
    name: Annotated[str, typer.Argument(help="Name of the index.")],
    column: Annotated[
        str | None,
        typer.Argument(help="Metadata column, or - to leave it to what columns hold."),
    ] = None,
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Choose the column that holds the titles of an index's images, or say which one it is."""
    with command(as_json):
        from cir.search.titles import title_column

        _, store = _open(uri, token)
        index = store.open(name)
        if column is not None:
            index.choose_title("" if column == "-" else column)
        title = title_column(index)
    if as_json:
        print_document({"index": name, "title_column": title})
    else:
        typer.echo(f"Titles are those of column {title}." if title else "No column holds titles.")


@app.command("rebuild")
def rebuild_command(
    name: Annotated[str, typer.Argument(help="Name of the index.")],
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make what searches of an index use anew: exact, with its words; nothing is encoded again."""
    from cir.cli import output as report

    with command(as_json, "Interrupted. Repeat the same command to continue."):
        _, store = _open(uri, token)
        index = store.open(name)
        index.rebuild()
    document = report.exactness_document(index.info)
    if as_json:
        print_document({"index": name, **document})
    else:
        report.print_rebuilt(index.info, store.backend)


@app.command("drop")
def drop_command(
    name: Annotated[str, typer.Argument(help="Name of the index.")],
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Remove an index; the images themselves stay where they are."""
    with command(as_json):
        _, store = _open(uri, token)
        store.drop(name)
    if as_json:
        print_document({"dropped": name})
    else:
        typer.echo(f"Dropped the index {name!r}.")


@app.command("export")
def export_command(
    name: Annotated[str, typer.Argument(help="Name of the index.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="File to write. Default: the name and .parquet, in the working folder.",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the file where it is there.")
    ] = False,
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write an index with embeddings and thumbnails into one Parquet file: a backup."""
    from cir.cli import output as report

    with command(as_json, "Interrupted. No file was written."):
        from cir.indexing.backup import export_index, usual_file

        _, store = _open(uri, token)
        index = store.open(name)
        with progress_bar() as on_progress:
            done = export_index(
                index, file or usual_file(name), replace=replace, on_progress=on_progress
            )
    if as_json:
        print_document(report.transfer_document(done))
    else:
        report.print_export(done)


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="File that `export` wrote.")],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Name of the index, a new one. Default: the one it had.",
            show_default=False,
        ),
    ] = None,
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make an index of such a file, without encoding; a call cut short continues when repeated."""
    from cir.cli import output as report

    with command(as_json, "Interrupted. Repeat the same command to continue."):
        from cir.indexing.backup import import_index

        _, store = _open(uri, token)
        with progress_bar() as on_progress:
            done = import_index(store, file, name, on_progress=on_progress)
    if as_json:
        print_document(report.transfer_document(done))
    else:
        report.print_import(done)


@app.command("encoders")
def encoders_command(uri: Uri = None, token: Token = None, as_json: AsJson = False) -> None:
    """List the encoders: which are ready, which would be downloaded and how big they are."""
    from cir.cli import output as report

    with command(as_json):
        from cir.settings import load_settings

        documents = report.encoder_documents(load_settings())
    if as_json:
        print_document({"encoders": documents})
    else:
        report.print_encoders(documents)


@app.command("serve", context_settings={"ignore_unknown_options": True})
def serve_command(
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STREAMLIT-OPTIONS",
            help="More options of `streamlit run`, for example --server.baseUrlPath shop.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port. Default: Streamlit's, 8501.", show_default=False)
    ] = None,
    address: Annotated[
        str,
        typer.Option(
            envvar="STREAMLIT_SERVER_ADDRESS",
            help="Where to listen; 0.0.0.0 makes the dashboard public.",
        ),
    ] = "127.0.0.1",
    uri: Uri = None,
    token: Token = None,
) -> None:
    """Start the dashboard, for this machine alone unless --address says otherwise."""
    with command(as_json=False):
        from cir.cli.serve import serve

        serve(address=address, port=port, uri=uri, token=read_token(token), options=options or ())


def _open(
    uri: str | None, token: str | None, encoder: str | None = None, device: str | None = None
) -> tuple["Settings", "MilvusStore"]:
    from cir.settings import load_settings
    from cir.store import index_store

    settings = load_settings(uri=uri, token=read_token(token), encoder=encoder, device=device)
    return settings, index_store(settings)
