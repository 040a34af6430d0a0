"""Training of the compact encoder: cached features, composed triplets, three losses, ranking."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from cir.training.attribute_space import ROOM, AttributeSpace
from cir.training.attributes import attribute_sizes, embedding_loss
from cir.training.batch import Batch
from cir.training.checkpoint import load_checkpoint, save_checkpoint
from cir.training.contrastive import contrastive_loss
from cir.training.device import half_precision, on_device, random_state, set_random_state
from cir.training.export import export
from cir.training.features import Half
from cir.training.language.fillers import filler_words
from cir.training.language.lexicon import every_word
from cir.training.manifest import data_hash, write_manifest
from cir.training.minilm import read_minilm
from cir.training.model import PAD, Compact, Shape
from cir.training.products import Products
from cir.training.questions import Questions
from cir.training.ranking import counted_readings, fit_ranking
from cir.training.seen import look_at
from cir.training.settings import TrainingSettings
from cir.training.tower import CELLS, ROWS, SIDE
from cir.training.triplets import TripletMaker
from cir.training.validation import recall_by_mode

SEEN_CELLS = 15


class Trainer:
    """One training run; its work folder holds cached features and checkpoints.

    Attributes:
        model: what is trained. averaged: the running mean of its weights, which is shipped when its
            ranking has been fitted.
    """

    def __init__(self, products: Products, work: Path, settings: TrainingSettings) -> None:
        sizes = attribute_sizes(products)
        AttributeSpace(sizes)  # too many values are told before anything is computed
        self.products = products
        self.work = work
        self.settings = settings
        work.mkdir(parents=True, exist_ok=True)
        self.data_hash = data_hash(products)
        self.train_rows, self.held_rows = split_rows(products, settings)
        seen = look_at(products, self.train_rows, work, settings, self.data_hash)
        self.tower, self.features, self.readings = seen.tower, seen.features, seen.readings
        torch.manual_seed(settings.seed)
        self.random = np.random.default_rng(settings.seed)
        names = [products.names[row] for row in self.train_rows]
        text_model = read_minilm([*every_word(), *names], Shape.text_length)
        self.tokenizer = text_model.tokenizer
        self.fillers = filler_words(self.tokenizer.get_vocab(), names)
        self.questions = self._questions(self.readings)
        self.shape = Shape(
            self.tokenizer.get_vocab_size(),
            self.features.shape[-1],
            attributes=sizes,
        )
        self.model = Compact(self.shape)
        self.model.fusion.begin_with(text_model.weights)
        plain = on_device(self.features[0, self.train_rows]).float()
        self.model.image_tokens.standardise(plain)
        self.model.reader.load_state_dict(seen.reader.state_dict())
        self.model.gate.load_state_dict(seen.gate.state_dict())
        self.model.drawing_gate.load_state_dict(seen.drawing_gate.state_dict())
        self.averaged = AveragedModel(
            self.model, multi_avg_fn=get_ema_multi_avg_fn(settings.averaging)
        )
        rates = [settings.learning_rate, settings.pretrained_rate, settings.reading_rate]
        self.optimiser = torch.optim.AdamW(
            self.model.parameter_groups(*rates),
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.98),
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser,
            rates,
            total_steps=settings.steps,
            pct_start=settings.warmup,
        )
        self.step = 0

    def run(self, checkpoint_seconds: float = 120.0) -> None:
        """Train to the last step, from the checkpoint where there is a fitting one, then rank."""
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
        self.averaged.eval()
        self._rank()

    @property
    def trained(self) -> Compact:
        """The averaged model."""
        module = self.averaged.module
        assert isinstance(module, Compact)
        return module

    def _one_step(self) -> float:
        loss = self._loss(self.questions.batch(self.random))
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self.averaged.update_parameters(self.model)
        self.step += 1
        return float(loss.detach())

    def _loss(self, batch: Batch) -> Tensor:
        queries = self._queries(batch)
        with half_precision():
            empty = on_device(token_ids(self.tokenizer, [""] * len(batch.texts)))
            cells = self._cells()
            targets = self.model(self._varied(batch.targets, cells), empty, cells=on_device(cells))
        scale = self.model.log_scale.exp().clamp(max=100.0)
        positive = on_device(batch.positive).float()
        loss = contrastive_loss(queries, targets, positive, scale)
        read = embedding_loss(self.model.heads, queries, targets, batch, self.products)
        return loss + self.settings.reading * (read + self._wish_loss(batch))

    def _wish_loss(self, batch: Batch) -> Tensor:
        """Of the queries with a text, and of as many imagined ones as settings say."""
        asked = self.questions.asked(batch, self.random)
        known = {name: on_device(each) for name, each in asked.known.items()}
        shown = on_device(asked.shown).float()
        read = self._read_texts(self.model, asked.texts)
        return self.model.wishes.loss(read, shown, asked.wanted, known)

    def _rank(self) -> None:
        """Fit the averaged model's ranking; a stopped call begins it anew: a minute."""
        model = self.trained
        readings = counted_readings(model.space, self.readings, self.products.drawn)
        steps = max(1, round(self.settings.ranking * self.settings.steps))
        fit_ranking(
            model.wishes,
            model.space,
            self._questions(readings),
            lambda texts: self._read_texts(model, texts),
            steps,
            self.random,
        )
        model.space.fit(on_device(np.concatenate(readings[:, self.train_rows])).float())

    def _read_texts(self, model: Compact, texts: Sequence[str]) -> Tensor:
        return self._by_length(texts, lambda _, ids: model.fusion.read_text(ids)).float()

    def _queries(self, batch: Batch) -> Tensor:
        """The queries' rows."""
        cells = self._cells()
        features, seen = self._varied(batch.references, cells), on_device(cells)
        has_image = on_device(batch.has_image)
        return self._by_length(
            batch.texts, lambda at, ids: self.model(features[at], ids, has_image[at], seen)
        )

    def _by_length(self, texts: Sequence[str], part: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Rows of all texts; short and long ones go through apart, for less padding.

        `part` gets places and token ids of some.
        """
        ids = token_ids(self.tokenizer, texts)
        lengths = (ids != PAD).sum(axis=1)
        order = lengths.argsort(kind="stable")
        with half_precision():
            rows = [
                part(on_device(at), on_device(ids[at, : lengths[at].max()]))
                for at in np.array_split(order, 3)
            ]
        return torch.cat(rows)[on_device(order.argsort())]

    def _cells(self) -> NDArray[np.int64]:
        """Which cells are seen: some at first, which is quicker and forgives more; all at last."""
        if self.step >= self.settings.masked * self.settings.steps:
            return np.arange(ROWS)
        seen = np.sort(self.random.permutation(CELLS)[:SEEN_CELLS])
        return np.append(seen, CELLS)

    def _varied(self, rows: NDArray[np.int64], cells: NDArray[np.int64]) -> Tensor:
        """Features of the rows' cells, each row in a variant drawn at random."""
        variants = self.random.integers(0, len(self.features), len(rows))
        held = self.features[variants[:, None], rows[:, None], cells[None]]
        return on_device(held).float()

    def _questions(self, readings: Half) -> Questions:
        return Questions(self.products, self.train_rows, readings, self.fillers, self.settings)

    @property
    def _checkpoint(self) -> Path:
        return self.work / "checkpoint.pt"

    def _identity(self) -> dict[str, object]:
        settings = asdict(self.settings)
        del settings["ranking"]  # is fitted anew in every call
        return settings | {"data": self.data_hash, "shape": asdict(self.shape)}

    def _save(self) -> None:
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": self.random.bit_generator.state,
            "torch_random": random_state(),
        }
        save_checkpoint(self._checkpoint, self._identity(), state)

    def _resume(self) -> None:
        held = load_checkpoint(self._checkpoint, self._identity())
        if held is None:
            return
        self.step = held["step"]
        self.model.load_state_dict(held["model"])
        self.averaged.load_state_dict(held["averaged"])
        self.optimiser.load_state_dict(held["optimiser"])
        self.schedule.load_state_dict(held["schedule"])
        self.random.bit_generator.state = held["random"]
        set_random_state(held["torch_random"])


def train(
    products: Products, out: Path, work: Path, settings: TrainingSettings
) -> dict[str, object]:
    """Train, validate, export to `out` (graphs, tokenizer, manifest); returns the manifest."""
    started = time.monotonic()
    with torch.device(settings.device):
        trainer = Trainer(products, work, settings)
        trainer.run()
    seconds = time.monotonic() - started
    tower, model = trainer.tower.cpu(), trainer.trained.cpu()
    metrics = recall_by_mode(
        model,
        torch.from_numpy(trainer.features[0, trainer.held_rows]).float(),
        TripletMaker(products, trainer.held_rows),
        lambda texts: torch.from_numpy(token_ids(trainer.tokenizer, texts)),
        np.random.default_rng(settings.seed + 1),
    )
    out.mkdir(parents=True, exist_ok=True)
    export(tower, model, trainer.tokenizer, out)
    return write_manifest(
        out,
        data=trainer.data_hash,
        settings=asdict(settings) | _description(trainer.shape),
        metrics=metrics,
        seconds=seconds,
    )


def _description(shape: Shape) -> dict[str, object]:
    """What the manifest says of the sizes; the attributes' order is that in an embedding."""
    return asdict(shape) | {
        "attributes": list(shape.attributes.items()),
        "embedding": shape.dim + ROOM,
        "side": SIDE,
    }


def split_rows(
    products: Products, settings: TrainingSettings
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and photos held out; products of one name stay together."""
    names = sorted(set(products.names) - {""})
    random = np.random.default_rng(settings.seed)
    held = set(random.permutation(names)[: round(len(names) * settings.held_out)].tolist())
    out = np.array([name in held for name in products.names])
    return np.flatnonzero(~out), np.flatnonzero(out)


def token_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> NDArray[np.int64]:
    """`(n, longest)` padded token ids."""
    return np.array([encoding.ids for encoding in tokenizer.encode_batch(list(texts))])
