"""What is asked goes before what is kept, where no picture has all of it.

A catalogue has a striped red dress and no striped green one: who asks for stripes of the green
dress shall see stripes. No drawing's triplet says so: each has a target that fits altogether.
"""

from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cir.training.batch import Wanted
from cir.training.letters import FEATURE_NAMES
from cir.training.products import SLOTS, Products
from cir.training.questions import Asked
from cir.training.triplets import TripletMaker

GIVEN_UP = 0.3  # chance of each attribute that a drawing's query keeps
NEVER_GIVEN_UP = "articleType"  # a red bag is no answer to "in red" of a shirt


def with_slots(asked: Asked, products: Products) -> Asked:
    """The same, where a feature asked of a drawing also names the slot that it fills."""
    wanted = [
        replace(each, codes={**each.codes, **_slots(each, products)})
        if products.drawn[reference]
        else each
        for each, reference in zip(asked.wanted, asked.references, strict=True)
    ]
    return replace(asked, wanted=wanted)


def right_and_hidden(
    asked: Asked, maker: TripletMaker, random: Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """`(n, g)` each: which of the maker's rows are right, and which would be too right.

    Of what a drawing's query keeps, each attribute but the type is given up with a chance of
    `GIVEN_UP`. Right is what has the rest; where something was given up, what has all is hidden.
    """
    right, hidden = [], []
    for wanted, reference, pictured in zip(
        asked.wanted, asked.references, asked.has_image, strict=True
    ):
        all_of_it = maker.satisfies(wanted)[maker.rows]
        kept = _kept(wanted, int(reference), maker.products) if pictured else []
        given_up = {name for name in kept if random.random() < GIVEN_UP}
        rest = {name: code for name, code in wanted.codes.items() if name not in given_up}
        right.append(maker.satisfies(replace(wanted, codes=rest))[maker.rows])
        hidden.append(all_of_it if given_up else np.zeros_like(all_of_it))
    return np.stack(right), np.stack(hidden)


def _slots(wanted: Wanted, products: Products) -> dict[str, int]:
    names = [FEATURE_NAMES[column] for column in wanted.features]
    return {
        slot: products.values[slot].index(name)
        for slot in SLOTS
        for name in names
        if name in products.values[slot]
    }


def _kept(wanted: Wanted, reference: int, products: Products) -> list[str]:
    """The attributes of a drawing that may be given up: those wanted as the reference has them."""
    if not products.drawn[reference]:
        return []
    return [
        name
        for name, code in wanted.codes.items()
        if name != NEVER_GIVEN_UP and code == products.codes[name][reference]
    ]
