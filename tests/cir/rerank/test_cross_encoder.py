"""A multimodal cross-encoder of generated weights, written and read by sentence-transformers."""

from pathlib import Path

import pytest

from cir.errors import RerankError, UsageError
from cir.rerank.protocol import Candidate
from cir.rerank.registry import load_reranker, names_folder
from cir.settings import Settings, load_settings
from tests.cir.rerank.tiny_reranker import write_multimodal, write_reranker
from tests.drawn import content, solid, striped
from tests.needs import needs

needs("sentence_transformers", "cross-encoders need sentence-transformers")

JPEGS = [content(image, "JPEG") for image in (solid("red"), striped("blue"), solid("green"))]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("data"), device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_multimodal(tmp_path_factory.mktemp("multimodal"))


def test_pictures_and_texts_of_both_sides_count(folder: Path, settings: Settings) -> None:
    reranker = load_reranker(f"st:{folder}", settings)
    candidates = [Candidate("a shirt", jpeg) for jpeg in JPEGS]
    scores = reranker.judge("in blue", solid("red"), candidates).scores
    assert len(set(scores)) == 3
    assert scores == pytest.approx(reranker.judge("in blue", solid("red"), candidates).scores)
    for asked, reference, seen in (
        ("in red", solid("red"), candidates),
        ("in blue", striped("green"), candidates),
        ("in blue", None, candidates),
        ("in blue", solid("red"), [Candidate("trousers", jpeg) for jpeg in JPEGS]),
        ("in blue", solid("red"), [Candidate("", jpeg) for jpeg in JPEGS]),
        ("in blue", solid("red"), [Candidate("a shirt")] * 3),
    ):
        assert reranker.judge(asked, reference, seen).scores != pytest.approx(scores, abs=1e-6)


def test_scores_are_the_model_s_own(folder: Path, settings: Settings) -> None:
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    model = CrossEncoder(str(folder), device="cpu")
    pair = ({"image": solid("red"), "text": "in blue"}, {"text": "a shirt"})
    expected = model.predict([pair], activation_fn=Identity(), show_progress_bar=False)
    reranker = load_reranker(f"st:{folder}", settings)
    found = reranker.judge("in blue", solid("red"), [Candidate("a shirt", b"no picture")]).scores
    assert found == pytest.approx([float(expected[0])], abs=1e-5)


def test_a_text_cross_encoder_reads_texts_alone(settings: Settings, tmp_path: Path) -> None:
    reranker = load_reranker(f"st:{write_reranker(tmp_path / 'text')}", settings)
    candidates = [Candidate("a red shirt", JPEGS[0]), Candidate("blue", None)]
    with_picture = reranker.judge("in blue", solid("red"), candidates).scores
    assert with_picture == pytest.approx(reranker.judge("in blue", None, candidates).scores)
    assert len(set(with_picture)) == 2


def test_what_is_no_reranker_is_refused(settings: Settings, tmp_path: Path) -> None:
    bare = write_reranker(tmp_path / "bare", head=False)
    with pytest.raises(UsageError, match="has no head that scores pairs"):
        load_reranker(f"st:{bare}", settings)
    two = write_reranker(tmp_path / "two", labels=2)
    with pytest.raises(UsageError, match="tells 2 classes"):
        load_reranker(f"st:{two}", settings)
    (two / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(RerankError, match="cannot be loaded"):
        load_reranker(f"st:{two}", settings)
    with pytest.raises(UsageError, match="no folder"):
        load_reranker(f"st:{tmp_path / 'none'}", settings)
    assert names_folder(f"st:{two}")
