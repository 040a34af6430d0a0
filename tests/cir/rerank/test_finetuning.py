"""A tiny text reranker finetuned by FlagEmbedding's own classes."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from cir.errors import RerankError, UsageError
from cir.progress import Progress
from cir.rerank.finetuning import Example, Schedule, finetune
from cir.rerank.protocol import Candidate
from cir.rerank.registry import load_reranker
from cir.settings import Settings, load_settings
from tests.cir.rerank.tiny_reranker import write_reranker
from tests.needs import needs

needs("FlagEmbedding", "finetuning a text reranker needs FlagEmbedding")

EXAMPLES = [Example("in red", ["a red shirt"], ["a blue shirt", "a green shirt"])] * 6
QUICK = Schedule(steps=40, batch=6, group=3, rate=5e-3)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("data"), device="cpu")


def test_it_learns_and_loads_and_leaves_no_pickle(
    settings: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    base = write_reranker(tmp_path / "base", head=False)  # a text encoder, which gets a head
    before = [*logging.getLogger().handlers], logging.getLogger().level
    told: list[Progress] = []
    out = tmp_path / "out"
    out.mkdir()
    capfd.readouterr()
    finetune(str(base), EXAMPLES, out, settings, QUICK, told.append)
    assert capfd.readouterr().out == ""
    assert ([*logging.getLogger().handlers], logging.getLogger().level) == before
    assert (told[-1].done, told[-1].total) == (40, 40)
    assert {"config.json", "model.safetensors"} <= {each.name for each in out.iterdir()}
    assert not [*out.rglob("*.bin")]
    assert not [*tmp_path.glob(".partial-*")]
    reranker = load_reranker(f"flag:{out}", settings)
    right, *wrong = reranker.judge(
        "in red", None, [Candidate(f"a {colour} shirt") for colour in ("red", "blue", "green")]
    ).scores
    assert right > max(wrong) + 1


def test_what_is_in_the_way_is_told_first(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "file").write_text("kept")
    with pytest.raises(UsageError, match="is not empty"):
        finetune("nobody/nothing", EXAMPLES, out, settings, QUICK)
    assert (out / "file").read_text() == "kept"
    with pytest.raises(UsageError, match="no folder"):
        finetune(str(tmp_path / "none"), EXAMPLES, tmp_path / "new", settings, QUICK)


def test_what_fails_or_is_ended_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    base = write_reranker(tmp_path / "base")
    out = tmp_path / "out"

    def stop(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(str(base), EXAMPLES, out, settings, QUICK, stop)
    (base / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(RerankError, match="cannot be finetuned"):
        finetune(str(base), EXAMPLES, out, settings, replace(QUICK, steps=1))
    assert [each.name for each in tmp_path.iterdir()] == ["base"]
