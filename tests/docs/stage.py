"""A folder in which the pages' snippets run as they stand: PHOTOS, RUN and so on are there."""

import json
import os
import shlex
import shutil
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from typer.testing import CliRunner

import eval as bench
from cir.sample.catalogue import write_catalogue
from cir.sample.designs import Design
from tests.docs.commands import CALLS
from tests.docs.pages import Page, Snippet
from tests.drawn import COLOURS, draw_album, save, solid
from tests.eval.layouts import (
    CIRR_IMAGES,
    circo_records,
    cirr_records,
    draw_all,
    write_circo,
    write_cirr,
    write_json,
)


@dataclass
class Stage:
    """The folder, and the names that the Python snippets of one page share."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})

    def run(self, page: Page) -> None:
        """Run a page's snippets in order; what goes wrong names page and line."""
        for snippet in page.snippets:
            if snippet.excuse is None:
                try:
                    self._run(snippet)
                except Exception as error:
                    error.add_note(f"This is the snippet at {snippet.place}.")
                    raise

    def _run(self, snippet: Snippet) -> None:
        if snippet.language == "python":
            self._python(snippet)
        elif snippet.language == "shell":
            for line in snippet.code.replace("\\\n", " ").splitlines():
                self._command(line)

    def _python(self, snippet: Snippet) -> None:
        """Run the code, or write it to the file that its first line names."""
        first = snippet.code.partition("\n")[0]
        if first.startswith("# ") and first.endswith(".py"):
            (self.folder / first.removeprefix("# ")).write_text(snippet.code, encoding="utf-8")
        else:
            exec(compile(snippet.code, snippet.place, "exec"), self.names)

    def _command(self, line: str) -> None:
        """Run a line of a shell in this process, which is quicker than another one a line."""
        words = shlex.split(line, comments=True)
        if not words:
            return
        for call, app in CALLS.items():
            start = call.split()
            if words[: len(start)] == start:
                result = CliRunner().invoke(app, words[len(start) :])
                assert result.exit_code == 0, f"{line}\n{result.output}"
                return
        raise AssertionError(
            f"{line}: only the project's own commands run here; put <!-- not run: why --> above."
        )


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Make this the working folder, from which modules are imported, with a data folder in it."""
    before, path, modules = Path.cwd(), list(sys.path), set(sys.modules)
    with patch.dict(os.environ, {"CIR_DATA_DIR": str(folder / "data")}):
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        try:
            yield
        finally:
            os.chdir(before)
            sys.path[:] = path
            for name in set(sys.modules) - modules:
                if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
                    del sys.modules[name]


def write_props(folder: Path) -> None:
    """Write all that the snippets find in their working folder."""
    with working_in(folder):
        _write_pictures(folder)
        _write_sets(folder)
        _write_runs(folder)


@contextmanager
def stage(props: Path, folder: Path) -> Iterator[Stage]:
    """A stage with a copy of the props, of which runs name the new folder."""
    shutil.copytree(props, folder, dirs_exist_ok=True)
    for path in folder.rglob("run.json"):
        path.write_text(path.read_text().replace(str(props), str(folder)))
    with working_in(folder):
        yield Stage(folder)


def _write_pictures(folder: Path) -> None:
    """PHOTOS with metadata, the sample with plain pictures, and the tutorial's archive."""
    photos = draw_album(folder / "PHOTOS", kinds=2)
    save(solid("navy"), photos / "shirt.jpg")
    rows = [f"{colour},{colour.title()},{2008 + at}" for at, colour in enumerate(COLOURS)]
    (photos / "metadata.csv").write_text("\n".join(["file,baseColour,year", *rows]))
    products = [f"{colour},a {colour} shirt,shirt,{colour}" for colour in COLOURS]
    header = "file,name,articleType,baseColour"
    (folder / "products.csv").write_text("\n".join([header, *products]))
    with tarfile.open(folder / "amazon_reviews_2023_subset.tar.gz", "w:gz") as archive:
        archive.add(photos / "striped", "images_folder/amazon_fashion")
    write_catalogue(folder / "data" / "sample", draw=_draw_stand_ins)


def _draw_stand_ins(designs: Sequence[Design], folder: Path, on_progress: object) -> None:
    """A plain picture for each garment: drawing them all takes half a minute."""
    for at, design in enumerate(designs):
        save(solid(COLOURS[at % len(COLOURS)]), folder / design.file)


def _write_sets(folder: Path) -> None:
    """LABELLED_SET over PHOTOS; CIRR and CIRCO as ANNOTATIONS and IMAGES, and FILE for CIRCO."""
    native = folder / "LABELLED_SET"
    asked = [("shirt.jpg", "in red", "red.png"), ("red.png", "in green", "green.png")]
    queries = [
        json.dumps({"_id": f"q{at}", "image": image, "text": text, "group": "colour"})
        for at, (image, text, _) in enumerate(asked)
    ]
    judged = [f"q{at}\t{target}\t1" for at, (_, _, target) in enumerate(asked)]
    (native / "qrels").mkdir(parents=True)
    (native / "queries.jsonl").write_text("\n".join(queries))
    header = "query-id\tcorpus-id\tscore"
    (native / "qrels" / "test.tsv").write_text("\n".join([header, *judged]))
    root = write_cirr(folder / "ANNOTATIONS")
    write_cirr(root, cirr_records(judged=False), "test1")
    draw_all(folder / "IMAGES", [f"dev/{name}.png" for name in CIRR_IMAGES])
    write_circo(root)
    write_json(folder / "FILE", {str(each["id"]): [12, 13, 14] for each in circo_records()})


def _write_runs(folder: Path) -> None:
    """RUN and OTHER of one set, and two for each category of FashionIQ, so in name alone."""
    bench.run("LABELLED_SET", gallery="PHOTOS", ablations=True, out="RUN")
    shutil.copytree("RUN", "OTHER")
    document = json.loads((folder / "RUN" / "run.json").read_text())
    for name in ("DRESS", "SHIRT", "TOPTEE"):
        labelled = {"set": f"fashioniq-{name.lower()}", "set_fingerprint": name}
        for run in (name, f"{name}0"):
            shutil.copytree("RUN", run)
            write_json(folder / run / "run.json", {**document, **labelled})
