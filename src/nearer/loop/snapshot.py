"""All that a fit needs to go on, as nested tensors and plain values. Decides no moment, no file."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from nearer.encoder.protocol import is_split
from nearer.errors import NearerError
from nearer.loop.dispatch import Dispatcher
from nearer.loop.notebook import LoopState
from nearer.loop.randomness import random_numbers, set_random_numbers
from nearer.loop.split import split_state, whole
from nearer.loop.state import Position, StopKind, StopReason, point_of, point_values
from nearer.loop.trainer import Trainer
from nearer.loop.weights import load_weights, snapshot

Snapshot = Mapping[str, Any]
"""Nested mappings, lists and tuples of tensors and plain values; see `take`."""

COUNTED = ("epoch", "batch", "step", "epochs_run", "ended", "batch_loss", "batch_rows", "val_loss")
"""What of the loop's notebook is copied as it is."""


def position_of(state: LoopState, pending: bool = False) -> Position:
    """Where a fit stands now."""
    return Position(state.epoch, state.batch, state.step, len(state.history), state.ended, pending)


def position_in(taken: Snapshot) -> Position:
    """Where the fit stood when a snapshot was taken."""
    loop = taken["loop"]
    return Position(
        loop["epoch"], loop["batch"], loop["step"], len(taken["history"]), loop["ended"]
    )


def note(state: LoopState, events: Dispatcher, trainer: Trainer) -> dict[str, Any]:
    """What an evaluation may change: all but weights and optimizer, at next to no cost.

    Tensors that callbacks hold are not copied here.
    """
    # A signal has put its own reason over the one that there was.
    reason = state.stop_reason
    if reason is not None and reason.kind is StopKind.INTERRUPTED:
        reason = state.agreed
    return {
        "loop": {name: getattr(state, name) for name in COUNTED},
        "history": [point_values(point) for point in state.history],
        "stop_reason": None if reason is None else [str(reason.kind), reason.detail],
        "passed": events.passed_places(),
        "callbacks": tree(events.states(), lambda tensor: tensor),
        "loss_sum": [trainer.total, trainer.rows],
        "skipped": trainer.nonfinite.counts,
        "random": random_numbers(trainer.accelerator.device),
    }


def take(
    state: LoopState, events: Dispatcher, trainer: Trainer, noted: Mapping[str, Any] | None = None
) -> Snapshot:
    """Copy all that a fit needs to go on; every process of the fit calls it at the same point.

    Args:
        state: The loop's notebook.
        events: The callbacks.
        trainer: Weights, optimizer, schedule.
        noted: What `note` gave before an evaluation that was not completed; None: now.
    """
    values = dict(noted or note(state, events, trainer))
    buffers = {n: b for n, b in trainer.encoder.module.named_buffers() if b.is_floating_point()}
    own = {
        "random": values.pop("random"),
        "graph_tokens": trainer.graph_tokens,
        # Of batch norm: each process has its own until the next evaluation.
        "buffers": tree(buffers, to_cpu) if state.world.size > 1 else {},
    }
    scaler = trainer.accelerator.scaler
    return {
        **values,
        "callbacks": tree(values["callbacks"], to_cpu),
        "processes": state.world.exchange(own),
        "steps": state.config.epochs * state.batches,
        "model": snapshot(trainer.encoder.module, world=state.world),
        "loss": tree(trainer.loss.state_dict(), to_cpu),
        "optimizer": tree(
            trainer.optimizer.state_dict(), partial(to_cpu, keep=state.world.is_main)
        ),
        "scheduler": tree(trainer.scheduler.state_dict(), to_cpu),
        "scaler": None if scaler is None else scaler.state_dict(),
    }


def restore_progress(state: LoopState, taken: Snapshot) -> None:
    """Put back how far a fit has come: what callbacks see of it."""
    for name in COUNTED:
        setattr(state, name, taken["loop"][name])
    state.history = [point_of(values) for values in taken["history"]]
    if state.history:
        state.metrics = state.history[-1].metrics
    if taken["stop_reason"] is not None:
        kind, detail = taken["stop_reason"]
        state.stop_reason = state.agreed = StopReason(StopKind(kind), detail)


def restore_training(state: LoopState, trainer: Trainer, taken: Snapshot) -> None:
    """Put back weights, optimizer, schedule and random numbers.

    With another number of epochs the schedule is that of the new number from here on.

    Raises:
        NearerError: The snapshot is of another model.
    """
    try:
        load_weights(trainer.encoder.module, taken["model"])
        trainer.loss.load_state_dict(dict(taken["loss"]))
        optimizer = tree(taken["optimizer"], Tensor.clone)
        split_state(optimizer["state"], trainer.parameters)
        trainer.optimizer.load_state_dict(optimizer)
        trainer.scheduler.load_state_dict(tree(taken["scheduler"], Tensor.clone))
    except (KeyError, ValueError, RuntimeError) as error:
        raise NearerError(
            f"the checkpoint does not fit the model: {error}; start a new run"
        ) from error
    scaler = trainer.accelerator.scaler
    if scaler is not None and taken["scaler"] is not None:
        scaler.load_state_dict(dict(taken["scaler"]))
    if taken["steps"] != state.config.epochs * state.batches:
        _reschedule(trainer)
    trainer.total, trainer.rows = taken["loss_sum"]
    trainer.nonfinite.counts = taken["skipped"]
    rank, processes = state.world.rank, taken["processes"]
    if rank < len(processes):
        own = processes[rank]
        trainer.graph_tokens = own["graph_tokens"]
        buffers = dict(trainer.encoder.module.named_buffers())
        with torch.no_grad():
            for name, value in own["buffers"].items():
                buffers[name].copy_(value)
        set_random_numbers(own["random"], trainer.accelerator.device)
    state.learning_rates = trainer.rates()
    state.shared.clear()


def tree(value: Any, of_tensor: Callable[[Tensor], Tensor]) -> Any:
    """Copy nested mappings, lists and tuples, with something done to each tensor."""
    if isinstance(value, Tensor):
        return of_tensor(value)
    if isinstance(value, Mapping):
        return {key: tree(one, of_tensor) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(tree(one, of_tensor) for one in value)
    return value


def to_cpu(tensor: Tensor, keep: bool = True) -> Tensor:
    """A copy on the CPU that nothing else holds; whole where processes hold parts of it.

    Args:
        tensor: Of one that is split all processes have to ask at the same point.
        keep: Whether this process needs it: of one that is split only the one that writes does.
    """
    if is_split(tensor):
        found = whole(tensor.detach())
        return found.to("cpu") if keep else found.new_empty(0)
    return tensor.detach().to("cpu", copy=True).contiguous()


def _reschedule(trainer: Trainer) -> None:
    """Take the next rates from the schedule as it is now."""
    schedule = trainer.scheduler
    if not isinstance(schedule, LambdaLR):
        return
    groups = trainer.optimizer.param_groups
    for group, base, rate in zip(groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
        group["lr"] = base * rate(schedule.last_epoch)
