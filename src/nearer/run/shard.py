"""Splitting a run's model among its processes, and the whole model after it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from sentence_transformers.sentence_transformer.modules import Transformer

from nearer.encoder.heap import memory_returned
from nearer.encoder.protocol import Encoder, Precision
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.towers import TwoTowers
from nearer.errors import ProcessLost, SpecError
from nearer.loop.split import Part
from nearer.loop.weights import load_weights, snapshot
from nearer.loop.world import World
from nearer.run.build import build_encoder
from nearer.run.door import Plan
from nearer.run.launch import on_all

LOGGER = logging.getLogger("nearer")


def shard(encoder: Encoder, world: World) -> None:
    """Split the transformers of an encoder among all processes, in place.

    Raises:
        SpecError: There is a part without a transformer for texts alone.
    """
    parts = on_all(world, lambda: list(_parts(encoder)))
    world.split(parts)
    LOGGER.info(
        "Split among %s processes: weights, gradients and averages of the optimizer", world.size
    )


@contextmanager
def around_a_split(split: bool, world: World) -> Iterator[None]:
    """What goes around a run whose model may be split: memory, and who was lost.

    Weights that come and go take no more memory than they need; and where FSDP waits for a process
    that was lost, and not an exchange of ours, it is said which.

    Raises:
        ProcessLost: Something failed, and another process has failed or died.
    """
    try:
        with memory_returned() if split else nullcontext():
            yield
    except RuntimeError as error:
        lost = world.lost()
        if lost is None:
            raise
        raise ProcessLost(lost) from error


def whole_again(plan: Plan, precision: Precision, encoder: Encoder, world: World) -> Encoder:
    """The encoder with whole weights, on the CPU of the first process; loaded anew and filled."""
    weights = snapshot(encoder.module, world=world)
    if not world.is_main:
        return encoder
    level = LOGGER.level
    LOGGER.setLevel(logging.WARNING)  # it was told at the beginning
    try:
        loaded = build_encoder(plan, precision)
    finally:
        LOGGER.setLevel(level)
    load_weights(loaded.module, weights)
    loaded.module.eval()
    return loaded


def _parts(encoder: Encoder) -> Iterator[Part]:
    towers = encoder.towers.values() if isinstance(encoder, TwoTowers) else [encoder]
    for tower in towers:
        inner = next(iter(tower.model)) if isinstance(tower, SentenceTransformerEncoder) else None
        if not isinstance(inner, Transformer) or set(inner.modalities) != {"text"}:
            raise SpecError(
                [f"shard: {tower.name} has no transformer for texts alone; leave shard out"]
            )
        assert isinstance(tower, SentenceTransformerEncoder)
        yield Part(inner.auto_model, inner, tower.preprocess(["a"], "query"))
