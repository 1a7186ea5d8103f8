"""Training on pictures against a plain torch loop with the same model, pictures and loss.

    python benchmarks/pictures.py [--quick] [--json] [--pictures N] [--epochs N]

EfficientNet-Lite0 on photos of groceries. `step`: seconds of an epoch in which all of it learns,
with augmentation; the peer decodes and draws its views with the same functions, on as many threads,
a batch ahead, and steps with the same loss, optimizer and micro-batches. `frozen`: ten epochs of a
head on a frozen backbone, an evaluation before training and after each epoch; the peer runs the
backbone, without a graph, for every batch and every evaluation. Sides run in turn.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from common import Row, main
from grocery import photos

BATCH = 32
WIDTH = 128
RATE = 1e-4


def ours(rows: Any, dev: Any, epochs: int, frozen: bool) -> float:
    """Seconds of the epochs, evaluations of the frozen case included; the rest of a run is not."""
    import nearer

    stamps: list[float] = []

    class Clock(nearer.Callback):
        def on_fit_begin(self, ctx: Any) -> None:
            stamps.append(time.perf_counter())

        def on_fit_end(self, ctx: Any) -> None:
            stamps.append(time.perf_counter())

    learns: dict[str, Any] = {"learning_rate": RATE}
    callbacks: list[nearer.Callback] = [Clock()]
    if frozen:
        learns = {"freeze": "backbone", "output_dim": WIDTH}
        callbacks.append(nearer.EvaluationCallback(dev, limit=10, gather_examples=False))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NEARER_CACHE"] = f"{folder}/cache"
        nearer.fit(
            model="efficientnet-lite0",
            train_data=rows,
            epochs=epochs,
            batch_size=BATCH,
            precision="fp32",
            checkpoint_every="never",
            runs_dir=f"{folder}/runs",
            callbacks=callbacks,
            **learns,
        )
    return stamps[1] - stamps[0]


def theirs(
    rows: list[dict[str, str]], dev: list[dict[str, str]], epochs: int, frozen: bool
) -> float:
    """The plain loop."""
    import numpy as np
    import torch
    from pytorch_metric_learning.losses import SupConLoss
    from torch import nn

    from nearer.data.class_batches import ClassBatches
    from nearer.data.columns import read_examples
    from nearer.encoder.augmentation import Augmentation
    from nearer.encoder.packaged import build_packaged
    from nearer.encoder.views import View

    torch.manual_seed(42)
    encoder = build_packaged("efficientnet-lite0")
    model, prepare = encoder.module, encoder.preprocessing
    head: nn.Module = nn.Linear(1280, WIDTH) if frozen else nn.Identity()
    if frozen:
        model.requires_grad_(False).eval()
    parameters = [*(head if frozen else model).parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3 if frozen else RATE)
    loss = SupConLoss()
    examples = read_examples(rows)
    batches = ClassBatches(examples, BATCH, 42)
    pictures = [Path(row["image"]) for row in dev]

    def ready(epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        def one(batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
            items = list(batch.columns[0].items)
            if not frozen:
                numbers = batch.rows.tolist()
                how = Augmentation()
                items = [View(i, (42, epoch, r), how) for i, r in zip(items, numbers, strict=True)]
            return prepare(items), torch.from_numpy(batch.labels)

        with ThreadPoolExecutor(1) as pool:
            yield from pool.map(one, batches.epoch(epoch))

    def evaluate() -> None:
        with torch.no_grad():
            parts = [
                head(model(prepare(pictures[i : i + BATCH]))) for i in range(0, len(dev), BATCH)
            ]
            vectors = nn.functional.normalize(torch.cat(parts)).numpy()
        np.argsort(-(vectors @ vectors.T), axis=1)[:, :11]

    began = time.perf_counter()
    if frozen:
        evaluate()
    for epoch in range(1, epochs + 1):
        model.train(not frozen)
        for pixels, labels in ready(epoch):
            if frozen:
                with torch.no_grad():
                    features = model(pixels)
            else:
                features = model(pixels)
            value = loss(head(features), labels)
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        if frozen:
            evaluate()
    return time.perf_counter() - began


def compare(
    name: str, goal: float, turns: int, rows: Any, dev: Any, epochs: int, frozen: bool
) -> Row:
    pairs = []
    for _ in range(turns):
        b = theirs(rows, dev, epochs, frozen)
        pairs.append((ours(rows, dev, epochs, frozen), b))
    ratio = median(b / a for a, b in pairs)
    a, b = (median(side) for side in zip(*pairs, strict=True))
    return Row(name, "plain torch loop", a, b, ratio, goal, None)


def measure(arguments: argparse.Namespace) -> list[Row]:
    count = int(arguments.pictures) if arguments.pictures else (96 if arguments.quick else 384)
    epochs = int(arguments.epochs) if arguments.epochs else 10
    train = photos("train.csv")
    rows = train[:: max(1, len(train) // count)][:count]
    dev = photos("val.csv")[: 40 if arguments.quick else 80]  # whole products, in order
    turns = 1 if arguments.quick else 3
    what = f"{len(rows)} photos"
    return [
        compare(f"step, {what}, seconds of an epoch", 0.95, turns, rows, dev, 1, False),
        compare(f"frozen, {what}, {epochs} epochs", 8.0, 1, rows, dev, epochs, True),
    ]


if __name__ == "__main__":
    main("pictures", measure, pictures="", epochs="")
