"""Text rerankers by FlagEmbedding, on a tiny model with the real classes."""

from pathlib import Path

import pytest

from cir.errors import RecomposeError, RerankError, UsageError
from cir.rerank.protocol import Candidate
from cir.rerank.registry import family_of, load_reranker, names_folder
from cir.settings import Settings, load_settings
from tests.cir.rerank.tiny_reranker import write_reranker
from tests.needs import needs

needs("FlagEmbedding", "text rerankers need FlagEmbedding")

TEXTS = ["a red shirt", "blue shirts", "a green picture", "d"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("data"), device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reranker(tmp_path_factory.mktemp("reranker"))


def scores(
    folder: Path, settings: Settings, texts: list[str], asked: str = "in blue"
) -> list[float]:
    candidates = [Candidate(text) for text in texts]
    return list(load_reranker(f"flag:{folder}", settings).judge(asked, None, candidates).scores)


def test_scores_are_the_model_s_own(folder: Path, settings: Settings) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    found = scores(folder, settings, TEXTS)
    tokens = AutoTokenizer.from_pretrained(folder)(
        ["in blue"] * len(TEXTS), TEXTS, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        expected = model(**tokens).logits[:, 0]
    assert found == pytest.approx(expected.tolist(), abs=1e-5)
    assert len(set(found)) == len(TEXTS)


def test_many_and_long_texts_are_scored_without_a_bar(
    folder: Path, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = [TEXTS[at % 3] for at in range(70)] + ["red " * 500]
    capfd.readouterr()
    found = scores(folder, settings, texts)
    assert found[:3] * 23 == pytest.approx(found[:69], abs=1e-5)
    assert len(found) == 71
    assert "%|" not in "".join(capfd.readouterr())


def test_a_tokenizer_without_decoder_gives_the_same_scores(
    folder: Path, settings: Settings, tmp_path: Path
) -> None:
    other = write_reranker(tmp_path / "other", decoder=False)
    assert scores(other, settings, TEXTS) == pytest.approx(scores(folder, settings, TEXTS))


def test_a_second_stage_of_this_name_is_loaded_once(folder: Path, settings: Settings) -> None:
    name = f"flag:{folder}"
    assert load_reranker(name, settings) is load_reranker(name, settings)


def refusal(name: str, settings: Settings, kind: type[RecomposeError]) -> str:
    with pytest.raises(kind) as raised:
        load_reranker(name, settings)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_what_is_no_reranker_is_refused(settings: Settings, tmp_path: Path) -> None:
    bare = write_reranker(tmp_path / "bare", head=False)
    assert "has no head that scores pairs" in refusal(f"flag:{bare}", settings, UsageError)
    two = write_reranker(tmp_path / "two", labels=2)
    assert "tells 2 classes" in refusal(f"flag:{two}", settings, UsageError)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no model" in refusal(f"flag:{empty}", settings, UsageError)
    for name in (tmp_path / "none", "./none", "~/none", "none", "a/b/c"):
        assert "There is no folder" in refusal(f"flag:{name}", settings, UsageError)


def test_damaged_weights_are_one_sentence(settings: Settings, tmp_path: Path) -> None:
    damaged = write_reranker(tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"nothing")
    assert "cannot be loaded as a second stage" in refusal(f"flag:{damaged}", settings, RerankError)


def test_a_hub_that_is_not_there_is_one_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    said = refusal("flag:nobody/nothing", settings, RerankError)
    assert "The hub's repository nobody/nothing cannot be loaded" in said


def test_folders_are_told_from_names_of_the_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names_folder(f"flag:{folder}") and names_folder("flag:./x") and names_folder("flag:x")
    assert not names_folder("flag:BAAI/bge-reranker-base")
    monkeypatch.chdir(folder.parent.parent)
    assert names_folder(f"flag:{folder.parent.name}/{folder.name}")  # a folder of that very name
    assert family_of("flag:a/b").opens_files
