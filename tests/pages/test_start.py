"""The first page comes before anything heavy."""

import json
import subprocess
import sys
from pathlib import Path

from tests.places import REPOSITORY

HEAVY = ("torch", "timm", "transformers", "pymilvus", "grpc", "onnxruntime", "tokenizers")


def loaded_after(code: str) -> set[str]:
    """Which heavy packages a fresh process holds after some code."""
    code += f"\nimport json, sys\nprint(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_what_the_app_imports_is_light() -> None:
    parts = "pages.parts.shell.session, pages.parts.search.bar, pages.parts.search.welcome"
    modules = f"{parts}, cir.search, cir.jobs.indexes"
    assert loaded_after(f"import {modules}") == set()


def test_the_menu_waits_for_nothing_of_ours() -> None:
    # Until it is there, a new server shows every file of the folder as a page.
    code = "import sys, pages.parts.shell.navigation; assert not {'cir', 'eval'} & set(sys.modules)"
    assert loaded_after(code) == set()


def test_an_empty_data_folder_is_listed_without_milvus(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from cir.store import MilvusStore\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "assert MilvusStore(str(folder / 'recompose.db'), data_dir=folder).list() == []"
    )
    assert loaded_after(code) == set()
    assert list(tmp_path.iterdir()) == []
