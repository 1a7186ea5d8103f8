"""The two sides of the training benchmark: our loop and sentence-transformers' Trainer.

Both get the same model, rows, batches in the same order, loss, optimizer and schedule. The time of
a step is that between the ends of two steps, so whatever a step waits for (tokenising, too) counts.

python benchmarks/training_sides.py memory TASK BATCH STEPS    (a process of its own; prints JSON)
"""

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from common import DATA
from evaluation_child import measured

RATE, WARMUP, DECAY, CLIP, SCALE = 5e-5, 0.1, 0.01, 1.0, 20.0
Pair = tuple[str, str]


@dataclass(frozen=True)
class Trained:
    """What one side did: the loss of each step, the seconds of each step, the model."""

    losses: list[float]
    seconds: list[float]
    model: Any


def batches_of(task: str, count: int, size: int = 64) -> list[list[Pair]]:
    """Batches of a task, drawn once: no query and no document stands twice in one of them.

    Where a task has fewer different rows than a batch wants, rows are taken again.
    """
    pairs = list(dict.fromkeys(_pairs(task)))
    rng = np.random.default_rng(0)
    out = []
    for _ in range(count):
        chosen: list[Pair] = []
        seen: set[str] = set()
        for row in rng.permutation(len(pairs)).tolist():
            query, document = pairs[row]
            if query not in seen and document not in seen:
                chosen.append(pairs[row])
                seen |= {query, document}
            if len(chosen) == size:
                break
        while len(chosen) < size:
            chosen.append(pairs[int(rng.integers(len(pairs)))])
        out.append(chosen)
    return out


def ours(
    batches: Sequence[list[Pair]],
    precision: str,
    *,
    dropout: bool = True,
    epochs: int = 1,
    steps: int | None = None,
    compiled: bool = False,
    attention_dropout: bool = False,
) -> Trained:
    """Our loop, as `nearer.fit` calls it; ends after `steps`."""
    import torch

    from nearer.data.columns import read_examples
    from nearer.encoder import loading
    from nearer.encoder.compiling import compile_encoder
    from nearer.encoder.loading import EncoderOptions, load_encoder
    from nearer.loop.callback import Callback
    from nearer.loop.fit import fit
    from nearer.loop.state import FitConfig
    from nearer.losses.choose import build_loss
    from nearer.run.device import make_accelerator

    examples = read_examples([{"query": q, "document": d} for rows in batches for q, d in rows])
    ends = np.cumsum([0, *map(len, batches)])

    class InOrder:
        def __len__(self) -> int:
            return len(batches)

        def epoch(self, number: int, start: int = 0) -> Iterator[Any]:
            for first, last in zip(ends[start:-1], ends[start + 1 :], strict=True):
                yield examples.batch(np.arange(first, last))

    class Clock(Callback):
        def __init__(self) -> None:
            self.ends: list[float] = []
            self.losses: list[float] = []

        def on_epoch_begin(self, ctx: Any) -> None:
            if not self.ends:
                self.ends.append(time.perf_counter())

        def on_train_batch_end(self, ctx: Any) -> None:
            self.ends.append(time.perf_counter())
            self.losses.append(ctx.batch_loss)
            if len(self.losses) == steps:
                ctx.request_stop("enough")

    leaves_out = loading.without_attention_dropout
    if attention_dropout:
        loading.without_attention_dropout = lambda module: None
    encoder = load_encoder("minilm", EncoderOptions(precision=precision))
    loading.without_attention_dropout = leaves_out
    if not dropout:
        _without_dropout(encoder.module)
    if compiled:
        compile_encoder(encoder)
    clock = Clock()
    config = FitConfig(
        epochs=epochs, learning_rate=RATE, warmup=WARMUP, weight_decay=DECAY, clip_norm=CLIP
    )
    loss = build_loss("InfoNCE", kind="pairs", options={"temperature": 1 / SCALE})
    device = "auto" if torch.cuda.is_available() else "cpu"
    fit(
        encoder,
        loss,
        InOrder(),
        config=config,
        callbacks=[clock],
        accelerator=make_accelerator(device),
    )
    return Trained(clock.losses, np.diff(clock.ends).tolist(), encoder)


def theirs(
    batches: Sequence[list[Pair]], precision: str, *, dropout: bool = True, epochs: int = 1
) -> Trained:
    """sentence-transformers' Trainer, as its documentation sets it up."""
    import torch
    from datasets import Dataset, disable_progress_bars
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from torch.utils.data import SequentialSampler
    from transformers import PrinterCallback, TrainerCallback

    from nearer.encoder.catalog import find_entry, packaged_weights

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.ends: list[float] = []
            self.losses: list[float] = []

        def on_epoch_begin(self, *args: Any, **options: Any) -> None:
            if not self.ends:
                self.ends.append(time.perf_counter())

        def on_step_end(self, *args: Any, **options: Any) -> None:
            self.ends.append(time.perf_counter())

        def on_log(self, *args: Any, logs: dict[str, Any], **options: Any) -> None:
            if "loss" in logs:
                self.losses.append(float(logs["loss"]))

    class InOrder(DefaultBatchSampler):
        def __init__(self, dataset: Any, **options: Any) -> None:
            super().__init__(SequentialSampler(dataset), **options)

    disable_progress_bars()
    entry = find_entry("minilm")
    assert entry is not None
    model = SentenceTransformer(
        str(packaged_weights(entry)), device=None if torch.cuda.is_available() else "cpu"
    )
    if not dropout:
        _without_dropout(model)
    rows = [pair for batch in batches for pair in batch]
    data = Dataset.from_dict({"anchor": [q for q, _ in rows], "positive": [d for _, d in rows]})
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = Arguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=len(batches[0]),
            learning_rate=RATE,
            warmup_steps=round(WARMUP * len(batches) * epochs),
            weight_decay=DECAY,
            max_grad_norm=CLIP,
            bf16=precision == "bf16",
            use_cpu=not torch.cuda.is_available(),
            batch_sampler=InOrder,
            save_strategy="no",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
        )
        trainer = SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset=data,
            loss=MultipleNegativesRankingLoss(model, scale=SCALE),
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return Trained(clock.losses, np.diff(clock.ends).tolist(), model)


def memory(task: str, size: int, steps: int) -> dict[str, float]:
    """Peak megabytes of our steps of a batch size beyond what was there before, seconds a pair."""
    batches = batches_of(task, steps, size)
    ours(batches_of(task, 1, 2), "fp32")  # what is loaded and made once
    with measured() as result:
        trained = ours(batches, "fp32")
    result["seconds"] = float(np.median(trained.seconds[1:] or trained.seconds)) / size
    return result


def in_child(*arguments: object) -> dict[str, float]:
    """Run this file."""
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _pairs(task: str) -> list[Pair]:
    if task == "docstrings":
        from nearer.cli.docstrings import collect

        return [(pair.query, pair.document) for pair in collect()]
    with (DATA / task / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if task == "medquad":
        return [(row["query"], row["document"]) for row in rows]
    with (DATA / task / "names.csv").open(newline="", encoding="utf-8") as file:
        names = {row["label"]: row["text"] for row in csv.DictReader(file)}
    return [(row["text"], names[row["label"]]) for row in rows]


def _without_dropout(module: Any) -> None:
    import torch

    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0


if __name__ == "__main__":
    task, size, steps = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    print(json.dumps({"memory": memory}[sys.argv[1]](task, size, steps)))
