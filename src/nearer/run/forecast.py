"""What a training will take: rows, tokens, padding, time and memory, before the first step."""

import itertools
import logging
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from nearer.data.batch import BatchSource
from nearer.encoder.embedding import TRAIN_BUDGET
from nearer.encoder.protocol import Encoder, device_of
from nearer.encoder.sizes import in_words
from nearer.loop.passes import one_at_a_time, passes_needed
from nearer.loop.probe import tokens_a_second
from nearer.loop.room import bytes_per_token, graph_room
from nearer.loop.split import own_part
from nearer.loop.state import FitConfig
from nearer.loop.step import Work, lay_out
from nearer.loop.world import ALONE, World
from nearer.run.record import RunFolder

LOGGER = logging.getLogger("nearer")

BATCHES = 6
"""Batches whose lengths are looked at."""

AGAIN = 4 / 3
"""What a step of two passes takes: a forward pass more, and a backward pass takes two of them."""

STATE = 4
"""Copies of what is trained: weights, their gradients and the two averages of AdamW."""


@dataclass(frozen=True)
class Forecast:
    """What to expect of a training, from its first batches and a few micro-batches.

    Attributes:
        batches: In an epoch.
        tokens: Of a batch, on average, padding left out; of pictures their number. With several
            processes: of this one's rows.
        micro_batches: In how many a batch is embedded, on average.
        padding: Share of what is embedded that is padding.
        padding_to_longest: What that share would be, were each column padded to its longest row.
        passes: How many the largest of these batches takes; two where its activations do not fit.
        graph_tokens: Tokens whose activations fit; reused by a resume, so that it takes as many.
        packed: Whether texts are embedded without padding.
        memory: Bytes of activations, weights, gradients and averages.
        seconds_per_step: Loss and optimizer left out.
        seconds_per_epoch: Evaluations left out.
        threads: Of this process.
    """

    batches: int
    tokens: int
    micro_batches: float
    padding: float
    padding_to_longest: float
    passes: int
    graph_tokens: int
    packed: bool
    memory: int
    seconds_per_step: float
    seconds_per_epoch: float
    threads: int

    def as_json(self) -> dict[str, Any]:
        """For run.json."""
        return asdict(self)

    def line(self, cached: bool = False) -> str:
        """One line for people.

        Args:
            cached: Whether what is frozen is computed once: then this is for the first epoch, which
                computes it, and later ones take less.

        Example:
            >>> Forecast(60, 9500, 12, 0.06, 0.52, 1, 10**6, False, 2**31, 3.4, 204, 2).line()
            'Expected: 3.4 s a step, 3 min 24 s an epoch of 60 batches; 9,500 tokens a batch and 6 % padding (52 % to the longest row); 2.0 GiB'
        """  # noqa: E501
        passes = "" if self.passes == 1 else f" in {self.passes} passes"
        about, less = ("about ", " at first, then less") if cached else ("", "")
        return (
            f"Expected: {about}{_duration(self.seconds_per_step)} a step{passes}, "
            f"{about}{_duration(self.seconds_per_epoch)} an epoch of {self.batches:,} "
            f"batches{less}; "
            f"{self.tokens:,} tokens a batch and {100 * self.padding:.0f} % padding "
            f"({100 * self.padding_to_longest:.0f} % to the longest row); {in_words(self.memory)}"
        )


def with_forecast(
    folder: RunFolder,
    trained: Encoder,
    encoder: Encoder,
    train: BatchSource,
    config: FitConfig,
    world: World,
) -> FitConfig:
    """Say and record what the training will take; how much is held at a time is settled by it."""
    before = folder.read().get("forecast") if world.is_main else None
    recorded = world.broadcast(before["graph_tokens"] if before else None)
    if recorded is not None:  # the run goes on: it holds as many as it did
        config = replace(config, graph_tokens=recorded)
    # The whole encoder, not the one that keeps what is frozen: what that keeps should be asked for
    # by the training itself.
    is_cached = trained is not encoder
    # What is frozen is kept, and padded, layer by layer; see `nearer.encoder.cuts`.
    packing = config.packing and not is_cached
    found = forecast(encoder, train, replace(config, packing=packing), world)
    if found is None:
        return config
    LOGGER.info("%s", found.line(cached=is_cached))
    folder.update(forecast=found.as_json())
    return replace(config, graph_tokens=found.graph_tokens)


def forecast(
    encoder: Encoder, train: BatchSource, config: FitConfig, world: World = ALONE
) -> Forecast | None:
    """Look at the first batches and try a few micro-batches; no state of the run changes.

    Args:
        encoder: What will be trained.
        train: Its batches.
        config: Of the fit.
        world: The processes that share each batch.

    Returns:
        None where this process has no rows in the first batch.
    """
    most = config.micro_batch
    batches = itertools.islice(train.epoch(1), BATCHES)
    works = [
        lay_out(encoder, batch, most, TRAIN_BUDGET, world, config.packing) for batch in batches
    ]
    rows = bool(works and works[0].parts)
    room = config.graph_tokens or 0
    if rows and not room:
        room = graph_room(encoder, works[0], config.training_memory, world.size)
    # Of a model that is split all take part in what one tries, so all try the same things in turn.
    world.wait()
    rate = tokens_a_second(encoder, works[0]) if rows else 0.0
    world.wait()
    a_token = bytes_per_token(encoder, works[0]) if rows else 0.0
    world.wait()
    if not rows:
        return None
    real = float(np.mean([_real(work) for work in works]))
    embedded = float(np.mean([work.tokens for work in works]))
    longest = float(np.mean([_to_longest(work) for work in works]))
    largest = max(works, key=lambda work: work.tokens)
    count = len(largest.micro_batches)
    passes = passes_needed(largest.tokens, room, count, flat=one_at_a_time(config, encoder.module))
    at_a_time = max(part.tokens(group) for part, group in largest.micro_batches)
    held = largest.tokens if passes == 1 else min(room, at_a_time)
    weights = [(own_part(p).nbytes, p.requires_grad) for p in encoder.module.parameters()]
    of_weights = sum(STATE * size if learns else size for size, learns in weights)
    seconds = embedded / rate * (1 if passes == 1 else AGAIN)
    return Forecast(
        batches=len(train),
        tokens=round(real),
        micro_batches=round(float(np.mean([len(work.micro_batches) for work in works])), 1),
        padding=round(1 - real / max(1.0, embedded), 4),
        padding_to_longest=round(1 - real / max(1.0, longest), 4),
        passes=passes,
        graph_tokens=room,
        packed=any(part.packed for work in works for part in work.parts),
        memory=int(held * a_token) + of_weights,
        seconds_per_step=round(seconds, 4),
        seconds_per_epoch=round(seconds * len(train), 2),
        threads=torch.get_num_threads() if device_of(encoder.module).type == "cpu" else 0,
    )


def _real(work: Work) -> int:
    return sum(int(part.prepared.lengths.sum()) for part in work.parts)


def _to_longest(work: Work) -> int:
    """Tokens, were each column padded to its longest row."""
    total = 0
    for part in work.parts:
        for column in np.split(part.prepared.lengths, len(part.columns)):
            total += len(column) * int(column.max())
    return total


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
