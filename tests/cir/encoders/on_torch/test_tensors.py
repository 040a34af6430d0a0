"""Checkpoint files: what is read, what is refused."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cir.encoders.on_torch.tensors import LISTED, build, count_layers, fingerprint, read_tensors
from cir.encoders.on_torch.tensors import require_tensors as require
from cir.errors import EncoderError


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["x.pth", "x.pt", "x.bin", "x.safetensors"])
def test_both_kinds_of_file_are_read(tmp_path: Path, name: str) -> None:
    tensors = {"one": torch.arange(6.0).reshape(2, 3), "half": torch.ones(2).half()}
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    read = read_tensors(path)
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[key], each) for key, each in tensors.items())
    assert read["half"].dtype == torch.float16


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    path, made = tmp_path / "trap.pth", tmp_path / "made"
    torch.save({"one": torch.ones(1), "two": Trap(made)}, path)
    with pytest.raises(EncoderError, match="it holds more than tensors"):
        read_tensors(path)
    assert not made.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files_are_a_sentence(tmp_path: Path, suffix: str) -> None:
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"damaged{suffix}"
    tensors = {f"layer.{number}": torch.ones(9, 9) for number in range(9)}
    if suffix == ".pth":
        torch.save(tensors, whole)
    else:
        save_file(tensors, whole)
    data = whole.read_bytes()
    damaged = [b"", b"words, not tensors", data[: len(data) // 2], data[:-1], data[100:]]
    rng = random.Random(0)
    for _ in range(60):  # bytes of headers and tables changed
        broken = bytearray(data)
        for _ in range(8):
            broken[rng.randrange(600)] = rng.randrange(256)
        damaged.append(bytes(broken))
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            read_tensors(path)
        except EncoderError as error:
            refused += 1
            assert str(path) in str(error) and "Fetch it again" in str(error)
            assert "\n" not in str(error)
    assert refused > 40


def test_what_is_no_table_of_tensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    for held in ([torch.ones(1)], {"a": 1}, {1: torch.ones(1)}, {"model": {"a": torch.ones(1)}}):
        torch.save(held, path)
        with pytest.raises(EncoderError, match="not a table of named tensors"):
            read_tensors(path)


def test_a_missing_file_and_a_folder_are_sentences(tmp_path: Path) -> None:
    for name in ("none.pth", "none.safetensors"):
        with pytest.raises(EncoderError, match="There is no checkpoint"):
            read_tensors(tmp_path / name)
    with pytest.raises(EncoderError, match="cannot be read"):
        read_tensors(tmp_path)


def test_wrong_tensors_are_listed_and_counted() -> None:
    expected = {f"wanted.{number}": (2, 2) for number in range(LISTED + 3)} | {"shape": (1,)}
    found = {"shape": torch.ones(2), "surplus": torch.ones(1), "fine.unused": torch.ones(1)}
    with pytest.raises(EncoderError) as raised:
        require(found, expected, Path("x.pth"), lambda name: name.startswith("fine."))
    message = str(raised.value)
    assert f"{LISTED + 3} missing (wanted.0, " in message and "and 3 more" in message
    assert "1 surplus (surplus)" in message
    assert "1 misshapen (shape is (2,), not (1,))" in message
    require({"shape": torch.ones(1)}, {"shape": (1,)}, Path("x.pth"), lambda name: False)


def test_layers_are_counted_by_their_numbers() -> None:
    tensors = dict.fromkeys(("l.0.a", "l.1.a", "l.10.a", "l.x.a", "m.20.a"), torch.ones(1))
    assert count_layers(tensors, "l.") == 11
    with pytest.raises(KeyError, match=r"none\.0"):
        count_layers(tensors, "none.")


def test_a_network_takes_the_tensors_themselves() -> None:
    weight = torch.ones(2, 3)
    tensors = {"theirs.weight": weight, "theirs.bias": torch.zeros(2).half(), "more": weight}
    network = build(
        lambda: nn.Linear(3, 2),
        tensors,
        Path("x.pth"),
        lambda name: name == "more",
        "theirs.{}".format,
    )
    assert network.weight.data_ptr() == weight.data_ptr()
    assert {each.dtype for each in network.parameters()} == {torch.float32}
    assert not network.training
    assert not any(each.requires_grad for each in network.parameters())
    assert tensors.keys() == {"more"}, "what was converted is let go"


def test_a_network_without_these_tensors_is_refused() -> None:
    with pytest.raises(EncoderError, match=r"1 missing \(bias\)"):
        build(lambda: nn.Linear(3, 2), {"weight": torch.ones(2, 3)}, Path("x.pth"), bool)


def test_sizes_that_no_network_has_are_a_sentence() -> None:
    with pytest.raises(EncoderError, match=r"x\.pth tells.* do not fit together: .*negative"):
        build(lambda: nn.Linear(-3, 2), {}, Path("x.pth"), bool)


def test_a_fingerprint_is_of_file_and_parts(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    marks = {
        fingerprint(one, b"a"),
        fingerprint(other, b"a"),
        fingerprint(one, b"b"),
        fingerprint(one),
    }
    assert len(marks) == 4 and {len(mark) for mark in marks} == {32}
    assert fingerprint(one, b"a") in marks
