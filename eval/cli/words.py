"""The errors of the bench in the words of its command line."""

from contextlib import AbstractContextManager

from cir.cli import console
from cir.errors import Words
from eval.errors import BenchWayOut

WORDS: Words = {
    **console.WORDS,
    BenchWayOut.ALLOW_MISSING: "Check the folder, mend the set, or count them as never found with "
    "--allow-missing.",
    BenchWayOut.KEEP_REFERENCE: "Mend the qrels, keep the reference with --keep-reference, or "
    "count them as never found with --allow-missing.",
    BenchWayOut.RANK_ALL: "Rank them, or count them as never found with --allow-missing.",
    BenchWayOut.NAME_A_GALLERY: "Name what to search: either --gallery FOLDER or --index NAME.",
    BenchWayOut.SEARCH_A_FOLDER: "Run the labelled set with --gallery FOLDER.",
    BenchWayOut.PICK_THE_SPLIT: "Search a folder with --gallery: the images of the split are "
    "picked from it.",
    BenchWayOut.INDEX_S_ENCODER: "Leave --encoder out, or make an index with that one.",
    BenchWayOut.OTHER_SPLIT: "Choose one with --split.",
    BenchWayOut.NAME_THE_ROOT: "Name the folder of its annotation files with --root, or once and "
    "for all: python -m eval register NAME --root FOLDER --images FOLDER.",
    BenchWayOut.REGISTER_AGAIN: "Register the set again, or name the folder with --gallery.",
    BenchWayOut.RUN_ABLATIONS: "Run the set with --ablations.",
    BenchWayOut.MEASURE_IT: "Run the set again with --measure and its name.",
    BenchWayOut.OTHER_FOLDER: "Name another folder with --out.",
}
"""The ways out of errors as flags."""


def command(as_json: bool) -> AbstractContextManager[None]:
    """Run a command's work, see `cir.cli.console.command`."""
    return console.command(as_json, words=WORDS)
