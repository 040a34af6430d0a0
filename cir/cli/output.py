"""What the command line prints: JSON documents, tables, warnings."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from cir.encoders.protocol import Encoder, precision_note
from cir.encoders.registry import choose, encoder_specs, open_names, readiness
from cir.rerank.fusing import Outcome
from cir.search import Query, SearchOptions, is_cut, usual_score
from cir.settings import Settings
from cir.store import Hit, IndexInfo, UsualScores
from cir.store.exactness import exactness
from cir.words import printable, size

if TYPE_CHECKING:
    from cir.indexing.backup import Transfer
    from cir.indexing.folder import FailedImage, IngestReport
    from cir.indexing.reencode import ReencodeReport

FAILURES_SHOWN = 20


def ingest_document(report: "IngestReport") -> dict[str, Any]:
    """The `--json` document of `index`."""
    return {
        "index": report.index,
        "encoder": report.encoder,
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "failed": [asdict(each) for each in report.failed],
        "looked_at": report.looked_at,
        "strange": report.strange,
        "metadata": {
            "matched": report.matched,
            "unmatched": report.unmatched,
            "unmatched_rows": report.unmatched_rows,
        },
        "seconds": round(report.seconds, 3),
    }


def reencode_document(report: "ReencodeReport") -> dict[str, Any]:
    """The `--json` document of `index --re-encode`."""
    return asdict(report) | {"seconds": round(report.seconds, 3)}


NAME_WIDTH = 19  # characters: the longest name of an encoder without a prefix


def index_document(info: IndexInfo) -> dict[str, Any]:
    """What `indexes --json` says of one index."""
    kept = ("name", "encoder", "precision", "dim", "source", "state", "count", "created", "updated")
    columns = {"columns": dict(info.columns)}
    return {key: getattr(info, key) for key in kept} | columns | exactness_document(info)


def exactness_document(info: IndexInfo) -> dict[str, Any]:
    """How exact an index's searches are: recall null where it was not measured."""
    measured = info.recall
    kept = ("at", "mean", "worst", "sample")
    recall = {key: getattr(measured, key) for key in kept} if measured else None
    return {"index_type": info.index_type, "recall": recall}


def transfer_document(done: "Transfer") -> dict[str, Any]:
    """The `--json` document of `export` and `import`."""
    return asdict(done) | {"file": str(done.file), "seconds": round(done.seconds, 3)}


def encoder_documents(settings: Settings) -> list[dict[str, Any]]:
    """What `encoders --json` says, an entry an encoder."""
    return [
        asdict(spec) | {"state": readiness(choose(settings, name))}
        for name, spec in encoder_specs().items()
    ]


def print_ingest(report: "IngestReport", settings: Settings) -> None:
    """Say what an ingest did, with the first failures, and where its encoder is the wrong one."""
    typer.echo(
        f"Index {report.index!r} ({report.encoder}): {report.added} added, {report.updated} "
        f"updated, {report.unchanged} unchanged, {report.removed} removed, "
        f"{len(report.failed)} failed, in {report.seconds:.1f} s."
    )
    if report.matched or report.unmatched:
        typer.echo(
            f"Metadata: {report.matched} images with a row, {report.unmatched} without; "
            f"{report.unmatched_rows} rows without an image."
        )
    _say_failed(report.failed)
    _say_strange(report, settings)


def _say_strange(report: "IngestReport", settings: Settings) -> None:
    from cir.indexing.strange import strange_note

    note = strange_note(report, settings)
    if note is None:
        return
    text, offered = note
    way = f"python -m cir index {shlex.quote(report.index)} --re-encode --encoder {offered}"
    typer.echo(f"Note: {text}" + (f" Move the index to it: {way}" if offered else ""), err=True)


def print_reencode(report: "ReencodeReport") -> None:
    """Say what encoding an index anew did, with the first images that were not read as usual."""
    typer.echo(
        f"Index {report.index!r} ({report.encoder}): {report.images} images, {report.encoded} "
        f"encoded now, {len(report.failed)} failed, in {report.seconds:.1f} s."
    )
    _say_failed(report.failed)
    if report.from_thumbnails:
        typer.echo(
            f"Encoded from their thumbnails, as their files are not at hand or have changed: "
            f"{len(report.from_thumbnails)}"
        )
    for path in report.from_thumbnails[:FAILURES_SHOWN]:
        typer.echo(f"  {path!r}")
    _say_more(len(report.from_thumbnails))


def _say_failed(failed: Sequence["FailedImage"]) -> None:
    for each in failed[:FAILURES_SHOWN]:
        typer.echo(f"  {each.path!r}: {printable(each.reason)}")
    _say_more(len(failed))


def _say_more(images: int) -> None:
    if images > FAILURES_SHOWN:
        typer.echo(f"  and {images - FAILURES_SHOWN} more; --json lists all")


def print_export(done: "Transfer") -> None:
    """Say what an export wrote."""
    typer.echo(
        f"Exported the index {done.index!r} ({done.encoder}), {done.images} images, to "
        f"{printable(str(done.file))}, {size(done.bytes)}, in {done.seconds:.1f} s."
    )
    _say_incomplete(done)


def print_import(done: "Transfer") -> None:
    """Say what an import made, and how the images themselves come back."""
    typer.echo(
        f"Imported {done.images} images into the index {done.index!r} ({done.encoder}), "
        f"in {done.seconds:.1f} s."
    )
    _say_incomplete(done)
    typer.echo(
        "To show the images in full and to update from their folder, index it again, which finds "
        f"them unchanged: python -m cir index FOLDER --name {shlex.quote(printable(done.index))}"
    )
    if done.source:
        typer.echo(f"Where it was exported, the folder was {printable(done.source)}")


def _say_incomplete(done: "Transfer") -> None:
    if done.state != "ready":
        typer.echo("Note: the index was incomplete when it was exported.")


def print_hits(hits: Sequence[Hit]) -> None:
    """A line a hit: score, path, metadata."""
    if not hits:
        typer.echo("No image matches.")
    for rank, hit in enumerate(hits, start=1):
        fields = ", ".join(f"{key}={value}" for key, value in hit.metadata.items())
        line = f"{hit.score:7.4f}  {printable(hit.path)}  {printable(fields)}".rstrip()
        typer.echo(line + _beside(hit, rank))


def _beside(hit: Hit, rank: int) -> str:
    """What stands behind a hit: how many are folded under it, how many its group has, from where a
    second stage has moved it, and why."""
    told = [f"{len(hit.folded)} more like it"] if hit.folded else []
    told += [f"{hit.group_size} in the group"] if hit.group_size else []
    if hit.reranked:
        moved = hit.reranked.rank != rank
        told += [f"without the second stage {hit.reranked.rank}"] if moved else []
        told += [printable(hit.reranked.reason)] if hit.reranked.reason else []
    return f"  ({', '.join(told)})" if told else ""


def print_rebuilt(info: IndexInfo, backend: str) -> None:
    """Say how exact the searches of an index are now."""
    found = exactness(info, backend, info.count)
    typer.echo(f"Rebuilt the index {info.name!r}. Its searches: {found}.")


def print_indexes(infos: Sequence[IndexInfo], backend: str) -> None:
    """A table of indexes."""
    if not infos:
        typer.echo("There is no index yet. Make one: python -m cir index FOLDER --name NAME")
        return
    rows = [
        (
            info.name,
            str(info.count) if info.state == "ready" else f"{info.count} (incomplete)",
            info.encoder,
            exactness(info, backend, info.count),
            info.source or "",
            info.updated,
        )
        for info in infos
    ]
    _print_table(("name", "images", "encoder", "searches", "source", "updated"), rows)


def print_encoders(documents: Sequence[Mapping[str, Any]]) -> None:
    """A table of encoders."""
    rows = [
        (
            each["name"],
            each["recommended_for"],
            _state(each),
            size(each["memory_bytes"]) if each["memory_bytes"] else "",
            str(each["dim"]),
            f"{each['parameters'] / 1e6:.0f} M",
            each["licence"],
        )
        for each in documents
    ]
    titles = ("name", "recommended for", "state", "memory", "dim", "params", "licence")
    rows += [(form, what, "asks the hub", "", "", "", "") for form, what in open_names()]
    _print_table(titles, rows, least={"name": NAME_WIDTH, "state": len("download of")})


def _state(document: Mapping[str, Any]) -> str:
    if document["state"] != "download":
        return str(document["state"])
    return f"download {size(document['download_bytes'])}"


def warn(info: IndexInfo, encoder: Encoder, query: Query) -> None:
    """Say on standard error what a searcher should know."""
    if info.state != "ready":
        typer.echo(
            f"Note: the index {info.name!r} is incomplete: an ingest is running or was "
            "interrupted. Repeat `index` to complete it.",
            err=True,
        )
    note = precision_note(encoder, info)
    if note:
        typer.echo(f"Note: {note}", err=True)
    if is_cut(encoder, query):
        typer.echo("Note: the instruction is too long; its end was not read.", err=True)


def warn_far(usual: UsualScores, query: Query, hits: Sequence[Hit], options: SearchOptions) -> None:
    """Say on standard error that nothing in the index is close to the query."""
    known = usual_score(usual, query, options)
    if known is not None:
        typer.echo(
            "Note: nothing here is close to this: the best score is "
            f"{max(hit.score for hit in hits):.2f}, and usually {known.middle:.2f} in this index "
            "for a query of this kind.",
            err=True,
        )


def warn_reranked(outcomes: Sequence[Outcome]) -> None:
    """Say on standard error what a second stage cost, what it could not read, that it failed."""
    for each in outcomes:
        for note in each.notes():
            typer.echo(f"Note: {printable(note)}", err=True)


def warn_behind(info: IndexInfo) -> None:
    """Say on standard error that results are missing."""
    typer.echo(
        f"Note: the index {info.name!r} was made in a way that misses some of the nearest images. "
        f"Mend it in seconds, without encoding: python -m cir rebuild {shlex.quote(info.name)}",
        err=True,
    )


def _print_table(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    whole: Sequence[str] = (),
    least: Mapping[str, int] | None = None,
) -> None:
    """Print a table; the columns `whole` are never broken into lines or cut short.

    Those of `least` have at least so many characters, and go on in the next line.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(
            title, no_wrap=title in whole, min_width=(least or {}).get(title), overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console().print(table)
