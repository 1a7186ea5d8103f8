"""What callbacks cost: the events of a step with eight that do nothing, over a MiniLM step.

python benchmarks/callbacks.py [--quick] [--json]
"""

import argparse
import statistics
import time

from common import Row, main

EVENTS = 20_000
SHARE = 0.01
"""Goal: the events of a step cost at most this share of the step."""


def events_of_a_step() -> float:
    """Seconds for on_train_batch_begin and on_train_batch_end with eight listeners of both."""
    import torch
    from torch import nn

    from nearer.encoder.module import ModuleEncoder
    from nearer.loop.callback import Callback
    from nearer.loop.context import LoopState
    from nearer.loop.dispatch import Dispatcher
    from nearer.loop.events import Event
    from nearer.loop.state import FitConfig

    class Nothing(Callback):
        """Hears both events of a step."""

        def on_train_batch_begin(self, ctx: object) -> None:
            """Do nothing."""

        def on_train_batch_end(self, ctx: object) -> None:
            """Do nothing."""

    encoder = ModuleEncoder(nn.Linear(1, 1), prepare=lambda items: torch.zeros(len(items), 1))
    events = Dispatcher([Nothing() for _ in range(8)], LoopState(encoder, FitConfig(), batches=1))
    times = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(EVENTS):
            events.emit(Event.TRAIN_BATCH_BEGIN)
            events.emit(Event.TRAIN_BATCH_END)
        times.append((time.perf_counter() - began) / EVENTS)
    return statistics.median(times)


def step_of_minilm(steps: int) -> float:
    """Median seconds of a step: 64 pairs of short texts, the least that a real step does."""
    import torch

    from nearer.data.batches import RandomBatches
    from nearer.data.columns import read_examples
    from nearer.encoder.loading import load_encoder
    from nearer.loop.state import FitConfig
    from nearer.loop.step import batch_loss, train_mode
    from nearer.losses.choose import build_loss

    rows = [
        {"query": f"where is parcel number {i}", "document": f"parcel {i} is on its way to you"}
        for i in range(64 * (steps + 1))
    ]
    encoder, loss = load_encoder("minilm"), build_loss("InfoNCE", kind="pairs")
    optimizer = torch.optim.AdamW(encoder.module.parameters(), lr=5e-5, fused=True)
    times = []
    for batch in RandomBatches(read_examples(rows), 64, seed=0).epoch(1):
        began = time.perf_counter()
        train_mode(encoder.module)
        batch_loss(encoder, loss, batch, FitConfig()).backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def measure(arguments: argparse.Namespace) -> list[Row]:
    step = step_of_minilm(3 if arguments.quick else 8)
    events = events_of_a_step()
    share = events / step
    name = f"events of a step, 8 callbacks ({events * 1e6:.1f} µs of {step * 1e3:.0f} ms)"
    return [Row(name, "1 % of a step", share, SHARE, SHARE / share, 1.0, None)]


if __name__ == "__main__":
    main("callbacks", measure)
