"""Training of the compact encoder: cached features, composed triplets, one contrastive loss."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from tqdm import tqdm

from cir.training.export import export
from cir.training.features import cached_features, imagenet_tower
from cir.training.manifest import data_hash, write_manifest
from cir.training.model import Compact, Shape, contrastive_loss
from cir.training.products import Products
from cir.training.tokens import make_tokenizer
from cir.training.triplets import REFERENCES_PER_GROUP, Batch, TripletMaker
from cir.training.validation import recall_by_mode

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingSettings:
    """What a training run is made of; written to the manifest.

    `batch` is a multiple of `triplets.REFERENCES_PER_GROUP`; `held_out` is the share of products
    that training never sees and validation measures on.
    """

    seed: int = 7
    steps: int = 800
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.1
    held_out: float = 0.08
    tokenizer_batches: int = 60

    def __post_init__(self) -> None:
        if self.batch % REFERENCES_PER_GROUP or self.steps < 1:
            raise ValueError(f"batch must be a multiple of {REFERENCES_PER_GROUP}, steps positive")


class Trainer:
    """One training run; its work folder holds the feature cache and the checkpoint."""

    def __init__(self, products: Products, work: Path, settings: TrainingSettings) -> None:
        self.products = products
        self.work = work
        self.settings = settings
        work.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        self.random = np.random.default_rng(settings.seed)
        self.data_hash = data_hash(products)
        self.tower = imagenet_tower()
        self.features = self._features()
        self.train_rows, self.held_rows = split_rows(products, settings)
        self.maker = TripletMaker(products, self.train_rows)
        self.tokenizer = self._tokenizer()
        self.shape = Shape(self.tokenizer.get_vocab_size(), self.features.shape[-1])
        self.model = self._model()
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.98),
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser,
            settings.learning_rate,
            total_steps=settings.steps,
            pct_start=settings.warmup,
        )
        self.step = 0

    def run(self, checkpoint_seconds: float = 120.0) -> None:
        """Train to the last step, from the checkpoint where there is a fitting one."""
        self._resume()
        self.model.train()
        saved = time.monotonic()
        progress = tqdm(total=self.settings.steps, initial=self.step, desc="training", unit="step")
        while self.step < self.settings.steps:
            loss = self._one_step()
            progress.set_postfix(loss=f"{loss:.3f}")
            progress.update()
            if time.monotonic() - saved > checkpoint_seconds:
                self._save()
                saved = time.monotonic()
        progress.close()
        self._save()
        self.model.eval()

    def _one_step(self) -> float:
        batch = self.maker.batch(self.settings.batch, self.random)
        loss = self._loss(batch)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        return float(loss.detach())

    def _loss(self, batch: Batch) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            queries = self.model(
                self._varied(batch.references),
                token_ids(self.tokenizer, batch.texts),
                torch.from_numpy(batch.has_image),
            )
            empty = token_ids(self.tokenizer, [""] * len(batch.texts))
            targets = self.model(self._varied(batch.targets), empty)
        scale = self.model.log_scale.exp().clamp(max=100.0)
        positive = torch.from_numpy(batch.positive).float()
        return contrastive_loss(queries.float(), targets.float(), positive, scale)

    def _varied(self, rows: NDArray[np.int64]) -> Tensor:
        """Each row's features in a variant drawn at random."""
        variants = self.random.integers(0, len(self.features), len(rows))
        return torch.from_numpy(self.features[variants, rows]).float()

    def _features(self) -> NDArray[np.float16]:
        cache = self.work / f"features-{self.data_hash[:16]}.npy"
        held = cached_features(self.tower, self.products.photos, cache, seed=self.settings.seed)
        return np.array(held)  # in memory: random access to the file is the slower by far

    def _tokenizer(self) -> Tokenizer:
        random = np.random.default_rng(self.settings.seed)
        texts = [self.products.names[row] for row in self.train_rows]
        for _ in range(self.settings.tokenizer_batches):
            texts += self.maker.batch(self.settings.batch, random).texts
        return make_tokenizer(texts, Shape.text_length)

    def _model(self) -> Compact:
        model = Compact(self.shape)
        plain = torch.from_numpy(self.features[0, self.train_rows]).float().flatten(0, 1)
        model.image_tokens.standardise(plain.mean(dim=0), plain.std(dim=0))
        return model

    @property
    def _checkpoint(self) -> Path:
        return self.work / "checkpoint.pt"

    def _identity(self) -> dict[str, object]:
        return asdict(self.settings) | {"data": self.data_hash, "shape": asdict(self.shape)}

    def _save(self) -> None:
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(
            {
                "identity": self._identity(),
                "step": self.step,
                "model": self.model.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "schedule": self.schedule.state_dict(),
                "random": self.random.bit_generator.state,
                "torch_random": torch.get_rng_state(),
            },
            partial,
        )
        partial.replace(self._checkpoint)

    def _resume(self) -> None:
        if not self._checkpoint.exists():
            return
        held = torch.load(self._checkpoint, weights_only=True)
        if held["identity"] != self._identity():
            log.warning("%s belongs to other settings or data: starting anew", self._checkpoint)
            return
        self.step = held["step"]
        self.model.load_state_dict(held["model"])
        self.optimiser.load_state_dict(held["optimiser"])
        self.schedule.load_state_dict(held["schedule"])
        self.random.bit_generator.state = held["random"]
        torch.set_rng_state(held["torch_random"])


def train(
    products: Products, out: Path, work: Path, settings: TrainingSettings
) -> dict[str, object]:
    """Train, validate, export to `out` (graphs, tokenizer, manifest); returns the manifest."""
    started = time.monotonic()
    trainer = Trainer(products, work, settings)
    trainer.run()
    seconds = time.monotonic() - started
    metrics = recall_by_mode(
        trainer.model,
        torch.from_numpy(trainer.features[0, trainer.held_rows]).float(),
        TripletMaker(products, trainer.held_rows),
        lambda texts: token_ids(trainer.tokenizer, texts),
        np.random.default_rng(settings.seed + 1),
    )
    out.mkdir(parents=True, exist_ok=True)
    export(trainer.tower, trainer.model, trainer.tokenizer, out)
    return write_manifest(
        out,
        data=trainer.data_hash,
        settings=asdict(settings) | asdict(trainer.shape),
        metrics=metrics,
        seconds=seconds,
    )


def split_rows(
    products: Products, settings: TrainingSettings
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and rows held out; products of one name stay together."""
    names = sorted(set(products.names))
    random = np.random.default_rng(settings.seed)
    held = set(random.permutation(names)[: round(len(names) * settings.held_out)].tolist())
    out = np.array([name in held for name in products.names])
    return np.flatnonzero(~out), np.flatnonzero(out)


def token_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """`(n, longest)` padded token ids."""
    return torch.tensor([encoding.ids for encoding in tokenizer.encode_batch(list(texts))])
