"""A run as one HTML page that needs neither network nor Recompose."""

import base64
import io
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cir.errors import RecomposeError, UsageError
from cir.images import decode
from cir.settings import Settings
from eval.comparison.comparing import Comparison, compare, count_of, interval, points
from eval.comparison.curves import recall_curves
from eval.comparison.paired import LEVEL, Contender, usual_measure
from eval.measures import Measure, explained, heading, parse_measure
from eval.reporting.figures import curves_svg
from eval.runs.pictures import Pictures, queries_of
from eval.runs.queries import QueryRow, query_rows, ranked_paths
from eval.runs.ranks import (
    COMPOSED,
    MODE_NAMES,
    RankTable,
    composition_gain,
    telling_measure,
    wording_words,
)
from eval.runs.reading import Run, rank_table
from eval.runs.shortcuts import SOLVERS, audit, solvers
from eval.sets.labelled import LabelledQuery

SHOWN_RESULTS = 10

_SIDE, _QUALITY = 144, 72  # of an embedded picture: some 4 KB
_MOST_TARGETS = 4  # shown beside the reference
_TEMPLATE = "report.html"


@dataclass(frozen=True)
class Shown:
    """A picture in the report: its path, its address within the page, whether it is a target."""

    path: str
    source: str | None
    is_target: bool


def write_report(
    run: Run, file: Path, settings: Settings, *, measure: str | None = None, count: int = 10
) -> list[str]:
    """Write the page of a run; a file of this name is replaced.

    Args:
        run: one on disk, or an upload: then without single queries.
        file: ends in .html or .htm.
        settings: say where galleries are.
        measure: what composing and groups are told in; None takes the usual one.
        count: how many of the worst and of the best queries are shown.

    Returns:
        What the page lacks, a sentence each.

    Raises:
        UsageError: the file's name ends otherwise, the run's table is damaged, or the run does not
            tell of the measure.
        RecomposeError: the disk refuses.
    """
    if file.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"{file} does not end in .html: the report is an HTML page.")
    page, lacks = report_page(run, settings, measure=measure, count=count)
    partial = file.with_name(f".{file.name}-{secrets.token_hex(6)}")
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RecomposeError(
            f"The report cannot be written to {file} ({error.strerror or error})."
        ) from error
    return lacks


def report_page(
    run: Run,
    settings: Settings,
    *,
    measure: str | None = None,
    count: int = 10,
    local: bool = True,
) -> tuple[str, list[str]]:
    """The page, and what it lacks; see `write_report`, and `cir.access` for `local`."""
    table = rank_table(run)
    if measure is not None:
        run = _with_measure(run, table, parse_measure(measure))
    usual = usual_measure(list(run.metrics)) if run.metrics else ""
    chosen = measure or telling_measure(run.modes, usual)
    lacks: list[str] = []
    queries: list[dict[str, Any]] = []
    if table is None:
        lacks.append("The run has no table of queries: curves and single queries are left out.")
    else:
        try:
            queries = _queries(run, table, Pictures(run, settings, local=local), count)
        except UsageError as error:
            lacks.append(f"Single queries are left out: {error}")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(_TEMPLATE).render(
        run=run,
        count_of=count_of,
        points=points,
        interval=interval,
        level=LEVEL,
        names=MODE_NAMES,
        parts=_measure_parts(list(run.metrics)),
        gain=_gain(run, chosen),
        saturated="" if chosen in {measure, usual} else usual,
        heading=heading,
        explained=explained,
        curves=_curves(run, table),
        groups=_groups(table, chosen),
        shortcuts=audit([run]) if table and solvers(table) else None,
        solvers=SOLVERS,
        queries=queries,
        lacks=lacks,
        notes=[
            *wording_words(run.part("wordings")),
            *(note for note in run.document.get("notes") or () if isinstance(note, str)),
        ],
        absent=any(run.part("absent").values()) and run.part("absent"),
        failed=run.document.get("failed") or [],
        made_with=json.dumps(made_with(run), indent=2, ensure_ascii=False),
    )
    return page, lacks


def made_with(run: Run) -> dict[str, Any]:
    """Settings, fingerprints, versions and seconds of a run; where files lie is left out."""
    known = {
        "settings": {k: v for k, v in run.part("settings").items() if k != "set"},
        "gallery": {k: v for k, v in run.part("gallery").items() if k not in {"folder", "name"}},
        **{
            key: run.document.get(key)
            for key in (
                "encoder_fingerprint",
                "precision",
                "set_fingerprint",
                "seconds",
                "peak_memory",
            )
        },
        "versions": run.document.get("versions"),
    }
    return {key: value for key, value in known.items() if value}


def gain_comparison(run: Run, measure: str) -> Comparison | None:
    """The composed query beside the best of the other modes; None without ablations.

    The measure is the one that is concluded by, and the only one that is compared.
    """
    gain = composition_gain(run.modes, measure)
    if gain is None:
        return None
    try:
        return compare([Contender(run, gain.mode), Contender(run)], measures=[measure])
    except UsageError:
        return None  # an upload without its table


def _with_measure(run: Run, table: RankTable | None, measure: Measure) -> Run:
    """The run with figures of this measure, too."""
    name = str(measure)
    if name in run.metrics:
        return run
    if table is None:
        raise UsageError(f"{run.name} has no table of queries to work {name} out of.")
    for mode in table.ranks:
        table.values_of(measure, mode)
    worked_out = table.figures([name])
    modes = {mode: {**of, name: worked_out[mode][name]} for mode, of in run.modes.items()}
    return replace(run, modes=modes)


def _gain(run: Run, measure: str) -> dict[str, Any] | None:
    gain = composition_gain(run.modes, measure)
    if gain is None:
        return None
    compared = gain_comparison(run, measure)
    return {
        "measure": measure,
        "gain": gain,
        "difference": compared and compared.differences[0][measure],
        "over": compared.over if compared else "",
        "shared": compared.shared if compared else "",
        "groups": compared.groups[0] if compared else {},
    }


def _measure_parts(names: Sequence[str]) -> list[list[str]]:
    """Names of measures in tables that a page is wide enough for."""
    return [list(names[start : start + 7]) for start in range(0, len(names), 7)]


def _curves(run: Run, table: RankTable | None) -> Markup | None:
    if table is None:
        return None
    curves = {MODE_NAMES[mode]: curve for mode, curve in recall_curves(run, table).items()}
    return Markup(curves_svg(curves))  # which escapes its text


def _groups(table: RankTable | None, measure: str) -> dict[str, Any] | None:
    if table is None or not table.group_names:
        return None
    rows = {}
    for name in table.group_names:
        part = table.of_group(name)
        rows[name] = (
            len(part.groups),
            {m: f.get(measure) for m, f in part.figures([measure]).items()},
        )
    return {"measure": measure, "rows": rows, "modes": list(table.ranks)}


def _queries(run: Run, table: RankTable, pictures: Pictures, count: int) -> list[dict[str, Any]]:
    """Sections of queries: the worst and the best, none twice."""
    asked = queries_of(run, pictures)
    worst = query_rows(table, asked, order="worst")[:count]
    taken = {row.id for row in worst}
    best = [row for row in query_rows(table, asked, order="best") if row.id not in taken][:count]
    rows = [*worst, *best]
    ranked = ranked_paths(run, COMPOSED, {row.id for row in rows}, SHOWN_RESULTS)
    wanted = {path for paths in ranked.values() for path in paths}
    for row in rows:
        wanted |= {asked[row.id].reference, *_shown_targets(asked[row.id])}
    sources = {path: _data_uri(jpeg) for path, jpeg in pictures.thumbnails(wanted).items()}
    return [
        {
            "title": title,
            "cards": [_card(row, asked[row.id], ranked.get(row.id, ()), sources) for row in part],
        }
        for title, part in (("Worst queries", worst), ("Best queries", best))
        if part
    ]


def _card(
    row: QueryRow, query: LabelledQuery, ranked: Sequence[str], sources: Mapping[str, str]
) -> dict[str, Any]:
    def shown(path: str) -> Shown:
        return Shown(path, sources.get(path), path in query.targets)

    return {
        "row": row,
        "instruction": " / ".join(filter(None, [query.instruction, query.reworded])),
        "reference": shown(query.reference),
        "targets": [shown(path) for path in _shown_targets(query)],
        "target_count": len(query.targets),
        "ranked": [shown(path) for path in ranked],
    }


def _shown_targets(query: LabelledQuery) -> list[str]:
    return [*query.first_targets][:_MOST_TARGETS]


def _data_uri(jpeg: bytes) -> str:
    """The address of a picture within the page, small."""
    image = decode(jpeg).image
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
