"""What a training run is made of."""

from dataclasses import dataclass

from cir.training.triplets import REFERENCES_PER_GROUP


@dataclass(frozen=True)
class TrainingSettings:
    """What a training run is made of; written to the manifest.

    `batch` is a multiple of `triplets.REFERENCES_PER_GROUP`; `held_out` is the share of products
    that training never sees and validation measures on; `drawn` that of batches of drawn designs;
    `epochs` those in which the tower's late stages learn the attributes; `masked` the share of the
    steps in which only some cells of each picture are seen (as in FLIP, Li et al. 2023); `reading`
    the weight of the loss of attributes read off the embeddings and of that of wishes; `imagined`
    the queries without a target in each batch, for the wishes alone;
    `filled` the share of the texts that get words which mean nothing here; `ranking` the steps in
    which the ranking is fitted at last, as a share of `steps`; `device` where it computed, "cpu" or
    "cuda".
    """

    seed: int = 7
    epochs: int = 16
    steps: int = 1000
    batch: int = 256
    learning_rate: float = 1e-3
    pretrained_rate: float = 3e-4
    weight_decay: float = 0.05
    warmup: float = 0.1
    held_out: float = 0.06
    drawn: float = 0.25
    averaging: float = 0.995
    reading: float = 0.3
    reading_rate: float = 2e-3
    masked: float = 0.8
    imagined: int = 64
    filled: float = 0.2
    ranking: float = 0.36
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.ranking <= 0:
            raise ValueError("ranking must be positive")
        if self.batch % REFERENCES_PER_GROUP or min(self.steps, self.epochs) < 1:
            raise ValueError(
                f"batch must be a multiple of {REFERENCES_PER_GROUP}, steps and epochs positive"
            )
