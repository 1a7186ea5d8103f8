"""One evaluation point of a fit: held-out loss, producers, consumers. Decides not when."""

import logging

import torch

from nearer.data.batch import BatchSource
from nearer.encoder.embedding import evaluating
from nearer.loop.ahead import ahead
from nearer.loop.dispatch import Dispatcher
from nearer.loop.events import Event
from nearer.loop.keeping import Savepoints
from nearer.loop.notebook import LoopState
from nearer.loop.step import batch_loss
from nearer.loop.trainer import Trainer

LOGGER = logging.getLogger("nearer")


def evaluate_point(
    state: LoopState,
    events: Dispatcher,
    trainer: Trainer,
    val: BatchSource | None,
    saves: Savepoints,
) -> None:
    """One evaluation point: the validation pass, the producers, then the consumers."""
    saves.begin_evaluation()
    own = {"train_loss": trainer.mean_loss()} if trainer.rows else {}
    state.add_point(own | measure(state, events, trainer, val))
    learned = ", ".join(f"{name} {value:.4g}" for name, value in trainer.learned.items())
    if learned and state.step:
        LOGGER.info("Learned by the loss: %s", learned)
    events.emit(Event.METRICS)
    state.settle_stop()
    saves.end_evaluation()


def measure(
    state: LoopState,
    events: Dispatcher,
    trainer: Trainer,
    val: BatchSource | None,
    metric: str | None = None,
) -> dict[str, float]:
    """The held-out loss and what producers report of the encoder as it is.

    Args:
        state: The loop's notebook.
        events: The callbacks.
        trainer: Has the loss.
        val: Held-out rows.
        metric: Only what this takes: the held-out loss, or the producer that declares it.
    """
    found: dict[str, float] = {}
    state.world.share_buffers(state.encoder.module)
    with evaluating(state.encoder.module):
        if val is not None and metric in (None, "val_loss"):
            found["val_loss"] = _validate(state, events, trainer, val)
        state.shared.clear()
        state.settle_stop()
        asked = None if metric is None else events.producers_of(metric)
        found |= events.gather({"train_loss": 0.0, **found}, asked)
        state.shared.clear()
    return found


def score(
    state: LoopState,
    events: Dispatcher,
    trainer: Trainer,
    val: BatchSource | None,
    metric: str | None,
) -> dict[str, float]:
    """Measure in the middle of another event, which goes on afterwards."""
    event = state.event
    found = measure(state, events, trainer, val, metric)
    state.event = event
    return found


def _validate(state: LoopState, events: Dispatcher, trainer: Trainer, val: BatchSource) -> float:
    """Mean loss over the held-out rows; the progress of the epoch is left as it was."""
    before = state.batch, state.batch_loss, state.batch_rows
    state.batch, total, rows = 0, 0.0, 0
    events.emit(Event.VAL_BEGIN)
    with torch.inference_mode():
        for batch in ahead(val.epoch(1), state.encoder, state.world):
            # Left early, it is closed at once, as nothing else holds it.
            value = batch_loss(state.encoder, trainer.loss, batch, state.config, state.world)
            state.batch_loss, state.batch_rows = value.item(), len(batch)
            state.batch += 1
            total += state.batch_loss * len(batch)
            rows += len(batch)
            events.emit(Event.VAL_BATCH_END)
            state.obey_signal()
    state.val_loss = total / rows
    events.emit(Event.VAL_END)
    state.batch, state.batch_loss, state.batch_rows = before
    return state.val_loss
