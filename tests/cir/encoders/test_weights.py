"""Where an encoder's files are found, and how they are fetched from a hub on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cir.encoders.bge_vl import BASE as VL_BASE
from cir.encoders.protocol import EncoderChoice
from cir.encoders.visualized_bge import BASE
from cir.encoders.weights import missing_sentence
from tests.cir.command_line import CommandLine
from tests.cir.hub import Hub, running_hub
from tests.places import GOLDEN

TOKENIZER = {
    path.name: path.read_bytes() for path in sorted((GOLDEN / "tiny-base-tokenizer").iterdir())
}
VL_FILE = "model.safetensors"
MB = 1_000_000
LARGE = bytes(range(256)) * (25 * MB // 256 + 1)
FETCH = """
import json, sys
from cir.encoders.weights import find_tokenizer, find_weights
from cir.encoders.registry import choose, encoder_spec, fetch, readiness
from cir.errors import RecomposeError
from cir.settings import load_settings
choice = choose(load_settings(), sys.argv[1])
told = [readiness(choice)]
try:
    fetch(choice, lambda now: told.append([now.stage, now.done, now.total]))
    spec = encoder_spec(choice.name)
    told.append(readiness(choice))
    told += [str(find(spec, choice, download=False)) for find in (find_weights, find_tokenizer)]
except RecomposeError as error:
    told.append(str(error))
print(json.dumps(told))
"""
CANCEL = """
import sys
from cir.encoders.protocol import EncoderChoice
from cir.encoders.registry import fetch
from cir.jobs.background import JobCancelled
def stop(progress):
    if progress.done:
        raise JobCancelled
try:
    fetch(EncoderChoice(sys.argv[1]), stop)
except JobCancelled:
    print("cancelled")
"""
ENCODE = """
import json, sys
from PIL import Image
from cir.encoders.registry import load_encoder
images = [Image.open(path).convert("RGB") for path in sys.argv[2:]]
print(json.dumps(load_encoder(sys.argv[1], device="cpu").encode_images(images).tolist()))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """The tiny checkpoint and its tokenizer under the published names."""
    weights = (GOLDEN / "tiny-base.pth").read_bytes()
    other = {"README.md": b"words", "pytorch_model.bin": b"x" * MB}
    with running_hub(
        {
            "BAAI/bge-visualized": {"Visualized_base_en_v1.5.pth": weights, "README.md": b"words"},
            "BAAI/bge-base-en-v1.5": TOKENIZER | other,
            "BAAI/BGE-VL-base": TOKENIZER | other | {"model.safetensors": LARGE},
        }
    ) as running:
        yield running


def large(hub: Hub) -> None:
    """Make the checkpoint one of 25 MB; it holds no tensors."""
    hub.files["BAAI/bge-visualized"]["Visualized_base_en_v1.5.pth"] = LARGE


def fetch(command_line: CommandLine, name: str, **environment: str) -> list[Any]:
    done = command_line.run(name, code=FETCH, **environment)
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_a_download_tells_megabytes_and_is_found_again(
    hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    large(hub)
    environment = hub.environment(tmp_path / "hf")
    before, *told, after, weights, tokenizer = fetch(command_line, BASE.name, **environment)
    assert (before, after) == ("download", "ready")
    assert {(stage, total) for stage, _, total in told} == {
        ("Downloading Visualized_base_en_v1.5.pth (MB)", 25)
    }
    done = [each[1] for each in told]
    assert done == sorted(done) and (done[0], done[-1]) == (0, 25) and len(done) > 2
    assert Path(weights).read_bytes() == LARGE
    assert {path.name for path in Path(tokenizer).iterdir()} == set(TOKENIZER)
    assert sorted(set(hub.fetched())) == sorted([*TOKENIZER, "Visualized_base_en_v1.5.pth"])

    hub.asked.clear()
    assert fetch(command_line, BASE.name, **environment)[0] == "ready"
    assert hub.asked == [], "nothing is asked for what is here"


def test_a_connection_lost_half_way_resumes(
    hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    large(hub)
    hub.breaks["Visualized_base_en_v1.5.pth"] = 15 * MB
    *told, after, weights, _ = fetch(command_line, BASE.name, **hub.environment(tmp_path))
    first, second = hub.ranges("Visualized_base_en_v1.5.pth")
    assert first is None and second is not None
    resumed = int(second.removeprefix("bytes=").removesuffix("-"))
    assert 0 < resumed <= 15 * MB
    assert after == "ready" and Path(weights).read_bytes() == LARGE
    assert told[-1][1:] == [25, 25]


def test_a_listener_that_raises_ends_the_download(
    hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    large(hub)
    environment = hub.environment(tmp_path)
    done = command_line.run(BASE.name, code=CANCEL, **environment)
    assert done.stdout == "cancelled\n"
    assert hub.sent["Visualized_base_en_v1.5.pth"] < len(LARGE)
    *_, after, weights, _ = fetch(command_line, BASE.name, **environment)
    assert after == "ready" and Path(weights).read_bytes() == LARGE


def test_what_was_downloaded_loads(hub: Hub, command_line: CommandLine, tmp_path: Path) -> None:
    golden = json.loads((GOLDEN / "tiny-base.json").read_text())
    paths = [str(GOLDEN / name) for name in golden["images"]]
    done = command_line.run(BASE.name, *paths, code=ENCODE, **hub.environment(tmp_path))
    for row, expected in zip(json.loads(done.stdout), golden["image"], strict=True):
        assert row == pytest.approx(expected, abs=1e-5)


def test_config_json_comes_with_bge_vl(hub: Hub, command_line: CommandLine, tmp_path: Path) -> None:
    *_, weights, tokenizer = fetch(command_line, VL_BASE.name, **hub.environment(tmp_path))
    beside = Path(weights).parent
    assert (beside / "config.json").read_bytes() == TOKENIZER["config.json"]
    assert Path(tokenizer) == beside
    fetched = hub.fetched()
    assert fetched.index("config.json") < fetched.index("model.safetensors"), "whole when ready"


def test_files_put_there_by_hand_are_found(
    hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    for name, file in ((BASE.name, "Visualized_base_en_v1.5.pth"), (VL_BASE.name, VL_FILE)):
        folder = tmp_path / "weights" / name
        folder.mkdir(parents=True)
        for each, data in {**TOKENIZER, file: b"weights"}.items():
            (folder / each).write_bytes(data)
        for environment in ({"HF_HUB_OFFLINE": "1"}, {}):
            told = fetch(
                command_line,
                name,
                CIR_WEIGHTS_DIR=str(tmp_path / "weights"),
                **hub.environment(tmp_path / "hf", **environment),
            )
            assert told == ["ready", "ready", str(folder / file), str(folder)]
    assert hub.asked == []


def test_weights_by_hand_need_only_the_tokenizer(
    hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    folder = tmp_path / "weights" / BASE.name
    folder.mkdir(parents=True)
    (folder / "Visualized_base_en_v1.5.pth").write_bytes(b"weights")
    environment = hub.environment(tmp_path / "hf", CIR_WEIGHTS_DIR=str(tmp_path / "weights"))
    before, after, weights, _ = fetch(command_line, BASE.name, **environment)
    assert (before, after, Path(weights).parent) == ("download", "ready", folder)
    assert sorted(set(hub.fetched())) == sorted(TOKENIZER)


@pytest.mark.parametrize(
    "environment", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}]
)
def test_without_a_hub_one_sentence_says_what_to_do(
    environment: dict[str, str], hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    told = fetch(command_line, BASE.name, **hub.environment(tmp_path) | environment)
    sentence = told[-1]
    for part in (
        "needs Visualized_base_en_v1.5.pth (393 MB) from huggingface.co/BAAI/bge-visualized",
        "tokenizer files of BAAI/bge-base-en-v1.5",
        "could not be downloaded (",
        f"Put them into {command_line.data_dir / 'weights' / BASE.name}",
        "the encoder compact, which needs no download",
    ):
        assert part in sentence
    assert "\n" not in sentence and ".." not in sentence
    assert hub.asked == []


def test_a_file_that_the_hub_does_not_have_is_a_sentence(
    hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    del hub.files["BAAI/bge-visualized"]["Visualized_base_en_v1.5.pth"]
    told = fetch(command_line, BASE.name, **hub.environment(tmp_path))
    assert "could not be downloaded (404" in told[-1]


def test_a_broken_off_tokenizer_does_not_count_as_there(
    hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    del hub.files["BAAI/bge-base-en-v1.5"]["tokenizer_config.json"]
    environment = hub.environment(tmp_path)
    fetch(command_line, BASE.name, **environment)
    hub.files["BAAI/bge-base-en-v1.5"] |= TOKENIZER
    before, *_, after, _, _ = fetch(command_line, BASE.name, **environment)
    assert (before, after) == ("download", "ready")


def test_sizes_are_for_people() -> None:
    assert "(300 MB)" in missing_sentence(VL_BASE, EncoderChoice(VL_BASE.name), "It is not here.")
