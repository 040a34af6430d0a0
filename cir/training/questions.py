"""What training asks: batches of triplets, and the queries from which wishes are learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cir.training.batch import Batch, Wanted
from cir.training.features import Half
from cir.training.language.fillers import with_fillers
from cir.training.products import Products
from cir.training.settings import TrainingSettings
from cir.training.triplets import TripletMaker


@dataclass(frozen=True)
class Asked:
    """`n` queries with a text.

    Attributes:
        texts: `n` instructions. wanted: what each wants of its target.
        references: `(n,)` rows of the products. has_image: `(n,)` False where no picture is given.
        shown: `(n, used)` readings of the pictures; zeros without one.
        known: attribute -> `(n,)` whether the table knows it of the reference.
    """

    texts: Sequence[str]
    wanted: Sequence[Wanted]
    references: NDArray[np.int64]
    has_image: NDArray[np.bool_]
    shown: Half
    known: Mapping[str, NDArray[np.bool_]]


class Questions:
    """Draws them, with words now and then that mean nothing.

    Attributes:
        makers: of the photos' triplets, and of the drawings' where there are drawings.
    """

    def __init__(
        self,
        products: Products,
        rows: NDArray[np.int64],
        readings: Half,
        fillers: Sequence[str],
        settings: TrainingSettings,
    ) -> None:
        """`readings` `(v, n, used)` are of all products, `rows` the products to ask about."""
        self.products, self.readings = products, readings
        self.fillers, self.settings = fillers, settings
        self.makers = [TripletMaker(products, rows)]
        if products.drawn.any():
            self.makers.append(TripletMaker(products, rows, drawn=True))

    def batch(self, random: Generator) -> Batch:
        """A batch of triplets, of photos or of drawings."""
        drawn = len(self.makers) > 1 and random.random() < self.settings.drawn
        batch = self.makers[int(drawn)].batch(self.settings.batch, random)
        return replace(batch, texts=[self._disturbed(text, random) for text in batch.texts])

    def asked(self, batch: Batch, random: Generator) -> Asked:
        """The batch's queries with a text, then as many imagined ones as the settings say."""
        imagined = [self.makers[0].imagined(random) for _ in range(self.settings.imagined)]
        asks = np.flatnonzero([bool(text) for text in batch.texts])
        texts = [batch.texts[at] for at in asks]
        texts += [self._disturbed(each.text, random) for each in imagined]
        more = np.array([each.reference for each in imagined], np.int64)
        references = np.append(batch.references[asks], more)
        given = np.array([each.has_image for each in imagined], np.bool_)
        has_image = np.append(batch.has_image[asks], given)
        variants = random.integers(0, len(self.readings), len(references))
        return Asked(
            texts,
            [batch.wanted[at] for at in asks] + [each.wanted for each in imagined],
            references,
            has_image,
            self.readings[variants, references] * has_image[:, None],
            {name: codes[references] >= 0 for name, codes in self.products.codes.items()},
        )

    def _disturbed(self, text: str, random: Generator) -> str:
        if text and random.random() < self.settings.filled:
            return with_fillers(text, self.fillers, random)
        return text
