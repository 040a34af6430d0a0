"""What `python -m eval run` ranks: the reference, its copies, queries without an instruction."""

import shutil
from pathlib import Path

from tests.eval.command_line import QUERIES, Evaluate, WriteSet, document_of, rankings


def test_the_reference_can_stay(evaluate: Evaluate, labelled: Path, gallery: Path) -> None:
    arguments = ("--set", labelled, "--gallery", gallery, "--ablations", "--keep-reference")
    ranked = rankings(document_of(evaluate(*arguments, "--json"))["run"], "image")
    assert {query_id: paths[0] for query_id, paths in ranked.items()} == {
        query["_id"]: query["image"] for query in QUERIES
    }


def test_a_copy_of_the_reference_may_be_the_target(
    evaluate: Evaluate, write_set: WriteSet, own_gallery: Path
) -> None:
    shutil.copy(own_gallery / "red.png", own_gallery / "a copy.png")
    folder = write_set(
        [{"_id": "q", "image": "red.png", "text": "the same"}], [("q", "a copy.png", 1)]
    )
    document = document_of(
        evaluate("--set", folder, "--gallery", own_gallery, "--ablations", "--json")
    )
    assert document["groups"] == {}
    assert document["modes"]["image"]["recall@1"] == 1.0


def test_without_an_instruction_the_image_alone_is_asked(
    evaluate: Evaluate, write_set: WriteSet, gallery: Path
) -> None:
    folder = write_set(
        [{"_id": "q", "image": "red.png", "text": " "}], [("q", "striped ones/red.png", 1)]
    )
    document = document_of(evaluate("--set", folder, "--gallery", gallery, "--ablations", "--json"))
    modes = document["modes"]
    assert modes["composed"] == modes["sum"] == modes["image"]
    assert modes["image"]["recall@50"] == 1.0
    assert set(modes["text"].values()) == {0.0}
