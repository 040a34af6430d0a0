"""What the grammar's letters stand for: values of attributes, and a feature."""

from collections.abc import Mapping

from cir.training.kinds import LETTERS
from cir.training.products import FEATURES, Products

FEATURE_NAMES = tuple(FEATURES)


def letters_of(
    products: Products, codes: Mapping[str, int], features: tuple[int, ...]
) -> dict[str, str]:
    """Letter -> what it stands for, of known codes and of the first of the features' columns."""
    letters = {
        LETTERS[name]: products.values[name][code]
        for name, code in codes.items()
        if code >= 0 and name in LETTERS
    }
    if features:
        letters["f"] = FEATURE_NAMES[features[0]]
    return letters


def old_and_new(
    products: Products, reference: int, changed: Mapping[str, int], features: tuple[int, ...]
) -> dict[str, str]:
    """Letters of what is wished, and in capitals of what the reference is."""
    names = ("baseColour", "articleType", "gender")
    old = {name: int(products.codes[name][reference]) for name in names}
    letters = letters_of(products, changed, features) | {
        letter.upper(): value for letter, value in letters_of(products, old, ()).items()
    }
    return letters | {"cloth": "drawn"} if products.drawn[reference] else letters
