"""The training loop. Everything that is not the loop is a callback or a parameter."""

from collections.abc import Callable, Sequence
from functools import partial

from accelerate import Accelerator

from nearer.data.batch import BatchSource
from nearer.encoder.heap import memory_kept
from nearer.encoder.protocol import Encoder, Track, untracked
from nearer.encoder.sharing import SharedEmbeddings
from nearer.errors import Interrupted
from nearer.loop.ahead import ahead
from nearer.loop.callback import Callback
from nearer.loop.closing import complete_last_point
from nearer.loop.dispatch import Dispatcher
from nearer.loop.events import Event
from nearer.loop.keeping import Keeper, Savepoints
from nearer.loop.metrics import TRAIN_LOSS, VAL_LOSS, MetricInfo, declare, resolve
from nearer.loop.notebook import LoopState
from nearer.loop.optim import check_names
from nearer.loop.point import evaluate_point, score
from nearer.loop.snapshot import Snapshot, restore_progress, restore_training
from nearer.loop.state import FitConfig, FitResult, StopKind, StopReason
from nearer.loop.trainer import Trainer
from nearer.loop.world import ALONE, World
from nearer.losses.protocol import Loss


@memory_kept()
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
    keeper: Keeper | None = None,
    resume: Snapshot | None = None,
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
        keeper: Decides when the fit is kept, so that it can go on later; None: never.
        resume: What a keeper was given; the fit goes on from there, bit for bit as if it had not
            ended. The encoder, data and callbacks have to be those that it was taken with.

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
    saves = Savepoints(state, events, trainer, keeper)
    if resume is not None:
        restore_progress(state, resume)
    failure: BaseException | None = None
    try:
        _run(state, events, trainer, train, val, saves, resume)
    except BaseException as error:
        failure = error
        if isinstance(error, Interrupted):
            saves.interrupted(error)  # before a callback puts the best weights back
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
    saves: Savepoints,
    resume: Snapshot | None,
) -> None:
    state.learning_rates = trainer.rates()
    if resume is not None:
        restore_training(state, trainer, resume)
    events.emit(Event.FIT_BEGIN)
    if resume is None:
        evaluate_point(state, events, trainer, val, saves)
        saves.offer()
    else:
        events.load_states(resume["callbacks"], resume["passed"])
        # Once more: `on_fit_begin` may have loaded weights or drawn numbers.
        restore_training(state, trainer, resume)
    epochs = state.config.epochs
    while not state.ended or (state.stop_reason is None and state.epochs_run < epochs):
        _epoch(state, events, trainer, train, val, saves)
    saves.begin_evaluation()
    if state.history[-1].step == state.step:
        complete_last_point(state, events)
    else:  # a stop that was asked for in on_epoch_end, between two points
        evaluate_point(state, events, trainer, val, saves)
    saves.end_evaluation()
    if state.stop_reason is None:
        done = "the only epoch is done" if epochs == 1 else f"all {epochs} epochs are done"
        state.stop_reason = StopReason(StopKind.COMPLETED, done)
    state.keep_last()
    events.emit(Event.FIT_END)
    saves.close()
    state.score = partial(score, state, events, trainer, val)
    events.emit(Event.WEIGHTS_CHOSEN)
    if state.unseen:
        state.add_point(state.score(None))
        state.keep_last()
        events.emit(Event.METRICS)


def _epoch(
    state: LoopState,
    events: Dispatcher,
    trainer: Trainer,
    train: BatchSource,
    val: BatchSource | None,
    saves: Savepoints,
) -> None:
    """One epoch, or what is left of the one in which a fit was kept."""
    if state.ended:
        state.epoch += 1
        state.batch, state.ended = 0, False
        events.emit(Event.EPOCH_BEGIN)
    elif state.evaluation_due:
        evaluate_point(state, events, trainer, val, saves)
    if not state.cut_short:
        left = train.epoch(state.epoch, state.batch) if state.batch else train.epoch(state.epoch)
        # Left early, it is closed at once, as nothing else holds it.
        for batch in ahead(left, state.encoder, state.world):
            events.emit(Event.TRAIN_BATCH_BEGIN)
            state.batch_loss, state.batch_rows = trainer.step(batch), len(batch)
            state.skipped_batches = trainer.nonfinite.skipped
            state.shared.clear()
            state.batch += 1
            state.step += 1
            state.learning_rates = trainer.rates()
            events.emit(Event.TRAIN_BATCH_END)
            state.obey_signal()
            saves.offer(pending=state.evaluation_due or state.batch == state.batches)
            if state.evaluation_due:
                evaluate_point(state, events, trainer, val, saves)
                saves.offer(pending=state.batch == state.batches)
            if state.cut_short:
                break
    if not state.cut_short:
        state.epochs_run = state.epoch
    last = state.stop_reason is not None or state.epochs_run == state.config.epochs
    every = state.config.evaluate_every
    if (every == "epoch" or last) and state.history[-1].step != state.step:
        evaluate_point(state, events, trainer, val, saves)
    events.emit(Event.EPOCH_END)
    state.settle_stop()
    state.ended = True
    saves.offer()


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
