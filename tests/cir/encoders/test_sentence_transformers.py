"""Encoders by sentence-transformers: its real classes on generated weights."""

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cir.encoders.protocol import Encoder
from cir.encoders.registry import (
    choice_of_index,
    choose,
    encoder_spec,
    is_known,
    load_encoder,
    require_harmless,
)
from cir.errors import EncoderError, UsageError
from cir.settings import Settings
from tests.cir.command_line import CommandLine
from tests.cir.hub import COMMIT, Hub, running_hub
from tests.drawn import checked, save, striped
from tests.needs import needs

needs("sentence_transformers", "sentence-transformers is in requirements.txt")

from tests.cir.encoders.tiny_clip import DIM, POSITIONS  # noqa: E402
from tests.cir.encoders.tiny_models import (  # noqa: E402
    write_joint,
    write_remote,
    write_siglip,
    write_towers,
)

CLOSE = 1e-5
TEXTS = ["in red", "blue", "dots.jpg"]  # the last is the name of a picture that is there
OWNER = "shop/tiny-clip"


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("towers")
    return folder, write_towers(folder)


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joint")
    write_joint(folder)
    return folder


@pytest.fixture(scope="module")
def two(towers: tuple[Path, Any]) -> Encoder:
    return load_encoder(f"st:{towers[0]}", device="cpu")


@pytest.fixture(scope="module")
def one(joint: Path) -> Encoder:
    return load_encoder(f"st:{joint}", device="cpu")


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    return [striped("red"), checked("blue", (80, 90)), striped("green", (60, 60))]


@pytest.mark.parametrize("name", ["two", "one"])
def test_rows_are_unit_rows_of_the_models_length(
    name: str, pictures: list[Image.Image], request: pytest.FixtureRequest
) -> None:
    encoder: Encoder = request.getfixturevalue(name)
    for rows in (
        encoder.encode_images(pictures),
        encoder.encode_texts([*TEXTS, ""]),
        encoder.encode_composed(pictures, TEXTS),
    ):
        assert rows.dtype == np.float32 and rows.shape[1] == encoder.spec.dim
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=CLOSE)
    assert (
        encoder.encode_images([]).shape == encoder.encode_texts([]).shape == (0, encoder.spec.dim)
    )
    assert encoder.spec.parameters > 0 and encoder.spec.licence == "apache-2.0"
    alone = encoder.encode_composed(pictures, ["", " ", ""])
    assert alone == pytest.approx(encoder.encode_images(pictures), abs=CLOSE)
    with pytest.raises(ValueError, match="do not pair up"):
        encoder.encode_composed(pictures, ["one"])


def test_two_towers_are_summed_as_the_model_gives_them(
    two: Encoder, towers: tuple[Path, Any], pictures: list[Image.Image]
) -> None:
    from transformers import CLIPProcessor

    folder, model = towers
    made = CLIPProcessor.from_pretrained(str(folder))(
        images=pictures, text=TEXTS, return_tensors="pt", padding=True
    )
    with torch.inference_mode():
        seen = model.get_image_features(pixel_values=made["pixel_values"]).pooler_output
        read = model.get_text_features(made["input_ids"], made["attention_mask"]).pooler_output
    both = (seen + read).numpy()
    expected = both / np.linalg.norm(both, axis=1, keepdims=True)
    assert two.spec.dim == DIM
    assert two.encode_composed(pictures, TEXTS) == pytest.approx(expected, abs=CLOSE)


def test_a_model_that_reads_both_together_is_given_both_together(
    one: Encoder, pictures: list[Image.Image]
) -> None:
    both = one.encode_composed(pictures, TEXTS)
    summed = one.encode_images(pictures) + one.encode_texts(TEXTS)
    summed /= np.linalg.norm(summed, axis=1, keepdims=True)
    assert np.abs(both - summed).max() > 0.01
    other = one.encode_composed(pictures, ["in red", "in red", "in red"])
    assert np.abs(both[1] - other[1]).max() > 1e-3 and both[0] == pytest.approx(other[0], abs=CLOSE)


def test_texts_of_a_siglip_are_padded_as_in_its_training(tmp_path: Path) -> None:
    model, processor = write_siglip(tmp_path)
    encoder = load_encoder(f"st:{tmp_path}", device="cpu")
    made = processor.tokenizer(
        TEXTS, padding="max_length", max_length=POSITIONS, truncation=True, return_tensors="pt"
    )
    with torch.inference_mode():
        read = model.get_text_features(made["input_ids"]).pooler_output.numpy()
    expected = read / np.linalg.norm(read, axis=1, keepdims=True)
    assert encoder.encode_texts(TEXTS) == pytest.approx(expected, abs=CLOSE)


def test_a_text_that_names_a_picture_is_read_as_text(
    two: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = two.encode_texts(["dots.jpg"])
    save(striped("red"), tmp_path / "dots.jpg")
    monkeypatch.chdir(tmp_path)
    assert two.encode_texts(["dots.jpg"]) == pytest.approx(before, abs=CLOSE)


def test_long_texts_are_cut_and_told(two: Encoder) -> None:
    long = "x" * (POSITIONS + 5)
    assert two.truncates(["red", long]) == [False, True]
    assert two.encode_texts([long]).shape == (1, DIM)


def test_options_of_a_name_change_rows_and_fingerprint(joint: Path, one: Encoder) -> None:
    cut = load_encoder(f"st:{joint},truncate_dim=16", device="cpu")
    told = load_encoder(f"st:{joint},prompt=find this", device="cpu")
    rows = one.encode_texts(TEXTS)[:, :16]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert cut.spec.dim == 16 and cut.encode_texts(TEXTS) == pytest.approx(rows, abs=CLOSE)
    assert np.abs(told.encode_texts(TEXTS) - one.encode_texts(TEXTS)).max() > 1e-3
    assert len({each.fingerprint for each in (one, cut, told)}) == 3


def test_the_fingerprint_of_a_folder_is_of_its_content(joint: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(joint, copy)
    first = load_encoder(f"st:{copy}", device="cpu").fingerprint
    assert first == load_encoder(f"st:{joint}", device="cpu").fingerprint
    (copy / "README.md").write_text("another card")
    from cir.encoders import registry

    registry._loaded.cache_clear()
    assert load_encoder(f"st:{copy}", device="cpu").fingerprint != first


def test_threads_may_share_it(two: Encoder, pictures: list[Image.Image]) -> None:
    expected = two.encode_composed(pictures, TEXTS)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(two.encode_composed(pictures, TEXTS)))
        for _ in range(6)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 6 and all(np.abs(rows - expected).max() < CLOSE for rows in found)


def test_names_are_kept_in_one_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert encoder_spec("st:./mine").name == f"st:{tmp_path / 'mine'}"
    whole = "st:a/b@v1.0,truncate_dim=8,trust_remote_code,prompt=find, in red"
    spec = encoder_spec(whole)
    assert spec.name == whole and spec.dim == 8
    (folder,) = spec.folders
    assert (folder.repository, folder.revision, folder.code) == ("a/b", "v1.0", True)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("st:siglip", "OWNER/NAME"),
        ("st:a/b/c", "OWNER/NAME"),
        ("st:a/b,truncate_dim=some", "truncate_dim is a whole number above 0, not 'some'"),
        ("st:a/b,truncate_dim=0", "truncate_dim is a whole number"),
        ("st:/none/such", "There is no folder /none/such"),
        ("ts:a/b", "no encoder 'ts:a/b'"),
    ],
)
def test_a_wrong_name_is_one_sentence(name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load_encoder(name, device="cpu", download=False)


def test_a_model_of_other_length_or_without_pictures_is_one_sentence(
    joint: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="gives 32 numbers: truncate_dim=64 is more"):
        load_encoder(f"st:{joint},truncate_dim=64", device="cpu")
    hf: Any = import_module("transformers")
    words = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "red": 5}
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = hf.BertConfig(vocab_size=6, intermediate_size=16, **sizes)
    hf.BertModel(config).save_pretrained(tmp_path)
    hf.BertTokenizerFast(vocab=words).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"reads no pictures \(but text\)"):
        load_encoder(f"st:{tmp_path}", device="cpu")


def test_code_of_a_model_runs_only_where_it_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "remote"
    write_remote(folder)
    with pytest.raises(EncoderError, match=r"only loads by running Python code.*trust_remote_code"):
        load_encoder(f"st:{folder}", device="cpu")
    assert not (folder / "ran").exists()
    with pytest.raises(EncoderError, match="cannot load"):  # it is no model, but it ran
        load_encoder(f"st:{folder},trust_remote_code", device="cpu")
    assert (folder / "ran").exists()


class _Index:
    name, fingerprint, precision, weights, tokenizer = "shop", "", "exact", None, None

    def __init__(self, encoder: str) -> None:
        self.encoder = encoder


@pytest.mark.parametrize("encoder", ["st:/some/folder", "st:a/b,trust_remote_code"])
def test_what_an_index_says_runs_no_code(encoder: str, tmp_path: Path) -> None:
    settings = Settings(None, None, tmp_path, "compact")
    assert not is_known(encoder)
    with pytest.raises(UsageError, match="may run code of its own"):
        choice_of_index(_Index(encoder), choose(settings))
    with pytest.raises(UsageError, match="may run code of its own"):
        require_harmless(encoder, settings)
    for named in (choose(settings, encoder), choose(replace(settings, encoder=encoder))):
        assert choice_of_index(_Index(encoder), named).name == encoder
    require_harmless(encoder, replace(settings, encoder=encoder))


def test_what_an_index_says_of_a_repository_is_found_again(tmp_path: Path) -> None:
    settings = Settings(None, None, tmp_path, "compact")
    assert choice_of_index(_Index("st:a/b@main"), choose(settings)).name == "st:a/b@main"
    with pytest.raises(UsageError, match="not among"):
        choice_of_index(_Index("my_module:Encoder"), choose(settings))


@pytest.fixture
def hub(towers: tuple[Path, Any]) -> Iterator[Hub]:
    files = {path.name: path.read_bytes() for path in towers[0].iterdir()}
    more = {"pytorch_model.bin": b"x", "onnx/model.onnx": b"x", "own.py": b"raise SystemExit(9)"}
    with running_hub({OWNER: files | more, "shop/closed": files}) as running:
        running.licences[OWNER] = "apache-2.0"
        running.gated.add("shop/closed")
        yield running


def test_a_repository_is_fetched_indexed_and_searched_by_its_name(
    hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    environment = hub.environment(tmp_path / "hf")
    photos = tmp_path / "photos"
    for colour in ("red", "green", "blue"):
        save(striped(colour), photos / f"{colour}.png")
    asked = ("index", photos, "--name", "shop", "--encoder", f"st:{OWNER}")
    refused = command_line.run(*asked, **environment)
    assert refused.returncode == 1 and "--download fetches it" in refused.stderr
    done = command_line.run(*asked, "--download", **environment)
    assert done.returncode == 0, done.stderr
    assert "licence apache-2.0 from shop/tiny-clip" in done.stderr
    fetched = hub.fetched()
    assert fetched[-1] == "model.safetensors", "what is largest comes last"
    assert not {"pytorch_model.bin", "onnx/model.onnx", "own.py"} & set(fetched)

    hub.asked.clear()
    search = ("search", "shop", "--text", "red", "--json")
    found = command_line.run(*search, HF_HUB_OFFLINE="1", **environment)
    assert found.returncode == 0 and len(json.loads(found.stdout)["hits"]) == 3, found.stderr
    assert hub.asked == [], "its name in the index is enough, and nothing is asked for"


FETCH = """
import json, sys
from cir.encoders.registry import choose, described, fetch, readiness
from cir.errors import RecomposeError
from cir.settings import load_settings
choice = choose(load_settings(), sys.argv[1])
told = [readiness(choice)]
for step in (lambda: described(choice), lambda: fetch(choice), lambda: readiness(choice)):
    try:
        done = step()
        told.append([done.licence, done.download_bytes] if hasattr(done, "licence") else done)
    except RecomposeError as error:
        told.append(str(error))
print(json.dumps(told))
"""


def told_of(name: str, command_line: CommandLine, **environment: str) -> list[Any]:
    done = command_line.run(name, code=FETCH, **environment)
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_licence_and_size_are_told_before_a_download(
    hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    environment = hub.environment(tmp_path)
    before, (licence, size), _, after = told_of(f"st:{OWNER}@{COMMIT}", command_line, **environment)
    assert (before, licence, after) == ("download", "apache-2.0", "ready")
    assert size == sum(hub.sent[name] for name in set(hub.fetched()))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("st:shop/closed", "accept those of shop/closed on its page"),
        ("st:shop/none", "The hub has no shop/none"),
    ],
)
def test_a_repository_that_is_closed_or_gone_is_one_sentence(
    name: str, told: str, hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    _, described, fetched, after = told_of(name, command_line, **hub.environment(tmp_path))
    assert told in described and told in fetched and after == "download"
    assert "\n" not in fetched


def test_a_download_that_broke_off_is_not_taken_for_whole(
    hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    environment = hub.environment(tmp_path)
    weights = hub.files[OWNER].pop("model.safetensors")
    hub.files[OWNER] |= {f"model-0000{at}-of-00002.safetensors": weights for at in (1, 2)}
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = json.dumps({"weight_map": shards}).encode()
    hub.files[OWNER]["model.safetensors.index.json"] = index
    del hub.files[OWNER]["pytorch_model.bin"]
    second = "model-00002-of-00002.safetensors"
    del hub.files[OWNER][second]  # the hub lists no more than it has: what it gives is not whole
    *_, after = told_of(f"st:{OWNER}", command_line, **environment)
    assert after == "download"
    hub.files[OWNER][second] = weights
    *_, after = told_of(f"st:{OWNER}", command_line, **environment)
    assert after == "ready"


def test_without_a_network_one_sentence_says_what_to_do(
    hub: Hub, command_line: CommandLine, tmp_path: Path
) -> None:
    environment = hub.environment(tmp_path, HF_HUB_OFFLINE="1")
    _, described, fetched, _ = told_of(f"st:{OWNER}", command_line, **environment)
    for sentence in (described, fetched):
        assert "could not be downloaded (" in sentence and "\n" not in sentence
        assert "the encoder compact, which needs no download" in sentence
