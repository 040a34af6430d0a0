"""Heavy packages load when they are needed, those of training and large encoders only for them."""

import subprocess
import sys

import pytest

from tests.cir.command_line import CommandLine
from tests.drawn import save, solid

TRAINING = {"torch", "torchvision", "timm", "transformers"}
LARGE = TRAINING | {"huggingface_hub", "einops", "safetensors", "ftfy", "tqdm"}
HEAVY = LARGE | {"pymilvus", "milvus_lite", "onnxruntime", "streamlit", "pandas", "pyarrow"}


@pytest.mark.parametrize("module", ["cir", "cir.cli.app", "eval", "cir.store", "cir.settings"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(sorted(set(sys.modules) & set(sys.argv[1:])))"
    done = subprocess.run(
        [sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_indexing_and_searching_need_nothing_of_large_encoders(command_line: CommandLine) -> None:
    folder = command_line.data_dir.parent / "album"
    save(solid("red"), folder / "red.png")
    (folder / "metadata.csv").write_text("file,x\nred,1\n")
    code = """
import sys
from cir.cli.app import app
album = sys.argv[1]
for arguments in (
    ["index", album, "--name", "x"],
    ["search", "x", "--image", album + "/red.png", "--text", "in blue", "--where", "x=1"],
):
    try:
        app(arguments)
    except SystemExit as end:
        assert not end.code
print("loaded:", *sorted(set(sys.modules) & set(sys.argv[2:])))
"""
    done = command_line.run(folder, *LARGE, "streamlit", code=code)
    assert done.stdout.splitlines()[-1] == "loaded:", done.stdout
