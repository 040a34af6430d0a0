"""A text reranker fitted to one's own examples, by FlagEmbedding's own finetuning."""

import json
import logging
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cir.errors import RecomposeError, RerankError, UsageError
from cir.progress import OnProgress, ProgressTeller
from cir.rerank.flag import mend_decoder
from cir.rerank.loading import first_line, place_of
from cir.settings import Settings

STAGE = "Finetuning"
_TRAINED_WITH = "training_args.bin"  # a pickle, which nothing here reads
_QUERY_TOKENS, _TEXT_TOKENS = 64, 192


@dataclass(frozen=True)
class Example:
    """An instruction with texts that fit it and texts that do not, one of each at least."""

    instruction: str
    right: Sequence[str]
    wrong: Sequence[str]


@dataclass(frozen=True)
class Schedule:
    """How a reranker is finetuned: `steps` of `batch` examples, each one right and `group` - 1
    wrong texts; the softmax over these is the loss."""

    steps: int = 120
    batch: int = 8
    group: int = 8
    rate: float = 1e-4
    seed: int = 0


SCHEDULE = Schedule()


def finetune(
    base: str,
    examples: Sequence[Example],
    out: Path,
    settings: Settings,
    schedule: Schedule = SCHEDULE,
    on_progress: OnProgress | None = None,
) -> None:
    """Write a finetuned reranker, which `flag:FOLDER` loads; what fails leaves nothing behind.

    Args:
        base: a cross-encoder, or a text encoder that gets a new head; a folder, or a name of the
            hub. Code of its own is not run.
        out: its folder, new or empty.
        on_progress: told after each step; what it raises ends the call.

    Raises:
        UsageError: there is no such base, or the folder is not empty.
        RerankError: the base cannot be loaded or trained.
    """
    check_free(out)
    place, _ = place_of(base)
    partial = out.absolute().parent / f".partial-{secrets.token_hex(6)}"
    try:
        with _quiet_logs(), tempfile.TemporaryDirectory() as work:
            _train(place, examples, partial, Path(work), settings, schedule, on_progress)
        (partial / _TRAINED_WITH).unlink(missing_ok=True)
        if out.is_dir():
            out.rmdir()
        partial.rename(out)
    except RecomposeError:
        raise
    except Exception as error:  # safetensors, the hub and transformers have no base in common
        raise RerankError(f"{place} cannot be finetuned ({first_line(error)}).") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_free(out: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        UsageError: it does, or is no folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty: name a new folder for the finetuned reranker.")


def _train(
    place: str,
    examples: Sequence[Example],
    out: Path,
    work: Path,
    settings: Settings,
    schedule: Schedule,
    on_progress: OnProgress | None,
) -> None:
    from cir.encoders.on_torch.devices import pick_device, use_usable_cores
    from cir.encoders.on_torch.torchvision_compat import prepare_torchvision

    prepare_torchvision()  # FlagEmbedding imports transformers, and that torchvision
    import datasets
    from FlagEmbedding.abc.finetune.reranker import (
        AbsRerankerDataArguments,
        AbsRerankerModelArguments,
        AbsRerankerTrainingArguments,
    )
    from FlagEmbedding.finetune.reranker.encoder_only.base import EncoderOnlyRerankerRunner
    from transformers import PrinterCallback, TrainerCallback
    from transformers.utils import logging as transformers_logging

    told: Any = transformers_logging  # untyped

    class Told(TrainerCallback):
        """Tells of each step."""

        def on_step_end(self, *_: Any, **__: Any) -> None:
            teller.count(1)

    use_usable_cores()
    teller = ProgressTeller(schedule.steps, on_progress, stage=STAGE)
    datasets.disable_progress_bars()
    told.disable_progress_bar()
    told.set_verbosity_error()  # that a new head is new is no news
    file = work / "examples.jsonl"
    lines = [
        json.dumps({"query": each.instruction, "pos": [*each.right], "neg": [*each.wrong]})
        for each in examples
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    training = AbsRerankerTrainingArguments(
        output_dir=str(out),
        do_train=True,
        max_steps=schedule.steps,
        per_device_train_batch_size=min(schedule.batch, len(examples)),
        dataloader_drop_last=True,  # the loss wants whole batches
        learning_rate=schedule.rate,
        warmup_steps=schedule.steps // 10,
        seed=schedule.seed,
        use_cpu=pick_device(settings.device).type == "cpu",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    training._n_gpu = min(training.n_gpu, 1)  # the loss counts the examples of one device
    runner = EncoderOnlyRerankerRunner(
        model_args=AbsRerankerModelArguments(model_name_or_path=place),
        data_args=AbsRerankerDataArguments(
            train_data=[str(file)],
            cache_path=str(work / "cache"),
            train_group_size=schedule.group,
            query_max_len=_QUERY_TOKENS,
            passage_max_len=_TEXT_TOKENS,
        ),
        training_args=training,
    )
    mend_decoder(place, runner.tokenizer)
    runner.trainer.add_callback(Told())
    runner.trainer.remove_callback(PrinterCallback)
    runner.run()


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Within, FlagEmbedding may put a handler on the root logger, and set its level."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    silent = logging.NullHandler()
    root.addHandler(silent)  # with any handler there, it adds none
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
