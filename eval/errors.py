"""What can be done about the bench's errors, as values; the errors are those of `cir.errors`."""

from enum import StrEnum


class BenchWayOut(StrEnum):
    """What a person can do about an error of the bench, as `cir.errors.WayOut`.

    The values say it to somebody who writes Python; the command line and the metrics page have
    words of their own for each.
    """

    ALLOW_MISSING = (
        "Check the folder, mend the set, or count them as never found: allow_missing=True."
    )
    KEEP_REFERENCE = (
        "Mend the qrels, keep the reference with keep_reference=True, or count them as never "
        "found: allow_missing=True."
    )
    RANK_ALL = "Rank them, or count them as never found: allow_missing=True."
    NAME_A_GALLERY = "Name either a folder as the gallery or an index."
    SEARCH_A_FOLDER = "Search the folder of its images as the gallery."
    PICK_THE_SPLIT = "Search a folder as the gallery: the images of the split are picked from it."
    INDEX_S_ENCODER = "Leave the encoder out, or make an index with that one."
    OTHER_SPLIT = "Choose another split."
    NAME_THE_ROOT = "Name the folder of its annotation files as the root, or register the set."
    REGISTER_AGAIN = "Register the set again, or name the folder as the gallery."
    RUN_ABLATIONS = "Run the set with ablations=True."
    MEASURE_IT = "Run the set again with this one among the measures."
    OTHER_FOLDER = "Name another folder."
