"""Training of the compact encoder: cached features, composed triplets, three losses."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
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
from cir.training.language.fillers import filler_words, with_fillers
from cir.training.language.lexicon import every_word
from cir.training.manifest import data_hash, write_manifest
from cir.training.minilm import read_minilm
from cir.training.model import PAD, Compact, Shape
from cir.training.products import Products
from cir.training.seen import look_at
from cir.training.settings import TrainingSettings
from cir.training.tower import CELLS, ROWS, SIDE
from cir.training.triplets import TripletMaker
from cir.training.validation import recall_by_mode

SEEN_CELLS = 15


class Trainer:
    """One training run; its work folder holds cached features and checkpoints.

    Attributes:
        model: what is trained. averaged: the running mean of its weights, which is shipped.
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
        self.makers = self._makers()
        names = [products.names[row] for row in self.train_rows]
        text_model = read_minilm([*every_word(), *names], Shape.text_length)
        self.tokenizer = text_model.tokenizer
        self.fillers = filler_words(self.tokenizer.get_vocab(), names)
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
        self.model.space.fit(on_device(np.concatenate(self.readings[:, self.train_rows])).float())
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
        self.averaged.eval()

    @property
    def trained(self) -> Compact:
        """The averaged model."""
        module = self.averaged.module
        assert isinstance(module, Compact)
        return module

    def _one_step(self) -> float:
        drawn = len(self.makers) > 1 and self.random.random() < self.settings.drawn
        batch = self.makers[int(drawn)].batch(self.settings.batch, self.random)
        batch = replace(batch, texts=[self._disturbed(text) for text in batch.texts])
        loss = self._loss(batch)
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
        imagined = [self.makers[0].imagined(self.random) for _ in range(self.settings.imagined)]
        asks = np.flatnonzero([bool(text) for text in batch.texts])
        texts = [batch.texts[at] for at in asks]
        texts += [self._disturbed(each.text) for each in imagined]
        wanted = [batch.wanted[at] for at in asks] + [each.wanted for each in imagined]
        references = np.append(batch.references[asks], [each.reference for each in imagined])
        has_image = np.append(batch.has_image[asks], [each.has_image for each in imagined])
        read = self._by_length(texts, lambda _, ids: self.model.fusion.read_text(ids)).float()
        variants = self.random.integers(0, len(self.readings), len(references))
        shown = on_device(self.readings[variants, references] * has_image[:, None]).float()
        known = {
            name: on_device(self.products.codes[name][references] >= 0)
            for name in self.shape.attributes
        }
        return self.model.wishes.loss(read, shown, wanted, known)

    def _disturbed(self, text: str) -> str:
        """The text, now and then with words in it that mean nothing here."""
        if text and self.random.random() < self.settings.filled:
            return with_fillers(text, self.fillers, self.random)
        return text

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

    def _makers(self) -> list[TripletMaker]:
        makers = [TripletMaker(self.products, self.train_rows)]
        if self.products.drawn.any():
            makers.append(TripletMaker(self.products, self.train_rows, drawn=True))
        return makers

    @property
    def _checkpoint(self) -> Path:
        return self.work / "checkpoint.pt"

    def _identity(self) -> dict[str, object]:
        return asdict(self.settings) | {"data": self.data_hash, "shape": asdict(self.shape)}

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
