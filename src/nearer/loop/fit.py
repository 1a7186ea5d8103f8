"""The training loop. Everything that is not the loop is a callback or a parameter."""

from collections.abc import Callable, Sequence

import torch
from accelerate import Accelerator

from nearer.data.batch import BatchSource
from nearer.encoder.embedding import evaluating
from nearer.encoder.protocol import Encoder, Track, untracked
from nearer.encoder.sharing import SharedEmbeddings
from nearer.errors import Interrupted
from nearer.loop.ahead import ahead
from nearer.loop.callback import Callback
from nearer.loop.closing import complete_last_point
from nearer.loop.context import LoopState
from nearer.loop.dispatch import Dispatcher
from nearer.loop.events import Event
from nearer.loop.metrics import TRAIN_LOSS, VAL_LOSS, MetricInfo, declare, resolve
from nearer.loop.optim import check_names
from nearer.loop.state import FitConfig, FitResult, StopKind, StopReason
from nearer.loop.step import batch_loss
from nearer.loop.trainer import Trainer
from nearer.loop.world import ALONE, World
from nearer.losses.protocol import Loss


def fit(
    encoder: Encoder,
    loss: Loss,
    train: BatchSource,
    *,
    config: FitConfig,
    callbacks: Sequence[Callback] = (),
    val: BatchSource | None = None,
    accelerator: Accelerator | None = None,
    encode: SharedEmbeddings | None = None,
    track: Track = untracked,
    signal: Callable[[], str | None] = lambda: None,
    world: World = ALONE,
) -> FitResult:
    """Train an encoder and tell the callbacks; the loop is drawn in the docstring of `Event`.

    Keeps nothing between calls. The encoder is trained in place and is in eval mode afterwards.

    Args:
        encoder: What learns.
        loss: A function of embeddings; its own parameters are trained too.
        train: Batches by epoch.
        config: Epochs, rates, seeds; see `FitConfig`.
        callbacks: Who listens, in any order.
        val: Held-out rows for `val_loss`, the same batches at every pass.
        accelerator: Places model and batches; None: one process, the best device there is.
        encode: How callbacks embed items (`ctx.encode`); None: with a memory, but no store.
        track: Shows progress of long things.
        signal: Asked after every step and whenever an evaluation advances: the name of a signal
            that has come, or None.
        world: The processes that train together, each of them in this function; every batch is
            split among them.

    Returns:
        History, stop reason and counts; the weights are in the encoder.

    Raises:
        MetricNotReported: A callback watches what nobody reports; before anything is trained.
        NonFiniteLoss: Loss or gradient became NaN or infinite; names the rows of the batch.
        Interrupted: A signal came. The step was finished and `error.result` is the `FitResult`.
    """
    check_names(config)
    state = LoopState(
        encoder,
        config,
        batches=len(train),
        val_batches=len(val) if val else 0,
        declared=check_metrics(callbacks, config.model_name, val is not None),
        track=track,
        signal=signal,
        shared=encode or SharedEmbeddings(),
        world=world,
    )
    events = Dispatcher(callbacks, state)
    trainer = Trainer(encoder, loss, train, config, accelerator or Accelerator(), world)
    failure: BaseException | None = None
    try:
        _run(state, events, trainer, train, val)
    except BaseException as error:
        failure = error
        state.keep_last()
        events.emit_exception(error)
        if isinstance(error, Interrupted):
            error.result = _result(state)
        raise
    finally:
        encoder.module.eval()
        events.close(failure)
    return _result(state)


def check_metrics(
    callbacks: Sequence[Callback], model_name: str, has_val: bool
) -> tuple[MetricInfo, ...]:
    """Collect what a run reports and check that whatever is watched is among it.

    Raises:
        MetricNotReported: A callback watches what nobody reports.
        SpecError: Two callbacks report one name.
    """
    own = [TRAIN_LOSS, VAL_LOSS] if has_val else [TRAIN_LOSS]
    declared = declare([m for c in callbacks for m in c.produces(model_name)] + own)
    for callback in callbacks:
        for name in callback.monitors(declared):
            resolve(name, declared, type(callback).__name__)
    return declared


def _run(
    state: LoopState,
    events: Dispatcher,
    trainer: Trainer,
    train: BatchSource,
    val: BatchSource | None,
) -> None:
    every = state.config.evaluate_every
    state.learning_rates = trainer.rates()
    events.emit(Event.FIT_BEGIN)
    _evaluate(state, events, trainer, val)
    while state.stop_reason is None and state.epochs_run < state.config.epochs:
        state.epoch += 1
        state.batch = 0
        events.emit(Event.EPOCH_BEGIN)
        # Left early, it is closed at once, as nothing else holds it; so in `_validate`.
        for batch in ahead(train.epoch(state.epoch), state.encoder, state.world):
            events.emit(Event.TRAIN_BATCH_BEGIN)
            state.batch_loss, state.batch_rows = trainer.step(batch), len(batch)
            state.skipped_batches = trainer.nonfinite.skipped
            state.shared.clear()
            state.batch += 1
            state.step += 1
            state.learning_rates = trainer.rates()
            events.emit(Event.TRAIN_BATCH_END)
            state.obey_signal()
            if every != "epoch" and state.step % every == 0:
                _evaluate(state, events, trainer, val)
            if state.stop_reason is not None and state.batch < state.batches:
                break
        else:
            state.epochs_run += 1
        last = state.stop_reason is not None or state.epochs_run == state.config.epochs
        if (every == "epoch" or last) and state.history[-1].step != state.step:
            _evaluate(state, events, trainer, val)
        events.emit(Event.EPOCH_END)
        state.settle_stop()
    if state.history[-1].step == state.step:
        complete_last_point(state, events)
    else:  # a stop that was asked for in on_epoch_end, between two points
        _evaluate(state, events, trainer, val)
    if state.stop_reason is None:
        epochs = state.config.epochs
        done = "the only epoch is done" if epochs == 1 else f"all {epochs} epochs are done"
        state.stop_reason = StopReason(StopKind.COMPLETED, done)
    state.keep_last()
    events.emit(Event.FIT_END)


def _evaluate(
    state: LoopState, events: Dispatcher, trainer: Trainer, val: BatchSource | None
) -> None:
    """One evaluation point: the validation pass, the producers, then the consumers."""
    metrics: dict[str, float] = {}
    state.world.share_buffers(state.encoder.module)
    with evaluating(state.encoder.module):
        if trainer.rows:
            metrics["train_loss"] = trainer.mean_loss()
        if val is not None:
            metrics["val_loss"] = _validate(state, events, trainer, val)
        state.shared.clear()
        state.settle_stop()
        metrics |= events.gather(metrics)
        state.shared.clear()
    state.add_point(metrics)
    events.emit(Event.METRICS)
    state.settle_stop()


def _validate(state: LoopState, events: Dispatcher, trainer: Trainer, val: BatchSource) -> float:
    """Mean loss over the held-out rows; the progress of the epoch is left as it was."""
    before = state.batch, state.batch_loss, state.batch_rows
    state.batch, total, rows = 0, 0.0, 0
    events.emit(Event.VAL_BEGIN)
    with torch.inference_mode():
        for batch in ahead(val.epoch(1), state.encoder, state.world):
            value = batch_loss(
                state.encoder, trainer.loss, batch, state.config.micro_batch, state.world
            )
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


def _result(state: LoopState) -> FitResult:
    reason = state.stop_reason or StopReason(StopKind.INTERRUPTED, "the fit was cut short")
    return FitResult(
        tuple(state.history),
        reason,
        state.epochs_run,
        state.step,
        state.kept,
        state.skipped_batches,
    )
