"""What a fit is told and what it tells: configuration, evaluation points, stop reason, result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal


class StopKind(StrEnum):
    """Why a fit ended."""

    COMPLETED = "completed"
    PATIENCE = "patience"
    THRESHOLD = "threshold"
    NON_FINITE = "non_finite"
    REQUESTED = "requested"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class StopReason:
    """Why a fit ended, as data.

    Attributes:
        kind: One of `StopKind`.
        detail: A sentence for people.
    """

    kind: StopKind
    detail: str


@dataclass(frozen=True)
class EvaluationPoint:
    """A moment at which the model was evaluated.

    Attributes:
        epoch: The epoch it lies in; 0 is the model as it came.
        step: Optimizer steps taken before it.
        metrics: All that was reported there, by key.
        candidate: Whether its weights can be handed back: not at epoch 0 with a newly added head,
            where what was evaluated is the encoder without that head.
    """

    epoch: int
    step: int
    metrics: Mapping[str, float]
    candidate: bool = True


@dataclass(frozen=True)
class Position:
    """Where a fit stands.

    Attributes:
        epoch: Number of the epoch, from 1; 0 before the first.
        batch: Batches of it that are done.
        step: Optimizer steps taken.
        points: Evaluation points so far.
        ended: Whether the epoch is over, its evaluation and `on_epoch_end` included.
        pending: Whether an evaluation comes next.
    """

    epoch: int
    batch: int
    step: int
    points: int
    ended: bool
    pending: bool = field(default=False, compare=False)


def point_values(point: EvaluationPoint) -> dict[str, Any]:
    """An evaluation point as plain values."""
    return {**vars(point), "metrics": dict(point.metrics)}


def point_of(values: Mapping[str, Any]) -> EvaluationPoint:
    """The point that `point_values` wrote down."""
    return EvaluationPoint(**{**values, "metrics": MappingProxyType(dict(values["metrics"]))})


@dataclass(frozen=True)
class FitConfig:
    """How to train; everything here has been validated by whoever made it.

    Attributes:
        epochs: Passes over the training data, at least 1.
        learning_rate: Peak rate of the encoder's parameters.
        rate_factors: What the rate of a parameter of the encoder is multiplied by, by its name; 1
            where it has none.
        loss_learning_rate: Rate of the loss's own parameters; None: the same.
        weight_decay: Decoupled decay; biases and norms are never decayed.
        optimizer: Name of a class in torch.optim.
        optimizer_options: Its other arguments.
        scheduler: "linear", "cosine", "constant", … (transformers) or a class name of
            torch.optim.lr_scheduler.
        scheduler_options: Arguments of the latter.
        warmup: Share of all steps over which the rate rises from 0.
        clip_norm: Largest gradient norm; 0 clips nothing.
        on_nonfinite: What becomes of a batch whose loss or gradient is not finite: "error", or
            "skip", which takes no step for it.
        evaluate_every: "epoch", or a number of steps.
        seed: Seeds dropout and whatever else draws numbers in the loop.
        micro_batch: Most rows embedded at a time, with memory for no more; None: by their lengths.
        training_memory: Bytes for activations, or "4GiB"; a batch that takes more is trained on in
            two passes. "auto": half of what is free.
        graph_tokens: Most tokens whose activations are held at a time; None: by `training_memory`.
        packing: Whether texts are trained on without padding where the encoder can embed them so.
        model_name: Short name of the model; the prefix of its metrics.
        keep: Whose weights are handed back: "best" or "last".
        fresh_head: Whether the encoder has a newly added head (see `EvaluationPoint.candidate`).
    """

    epochs: int = 5
    learning_rate: float = 5e-5
    rate_factors: Mapping[str, float] = field(default_factory=dict)
    loss_learning_rate: float | None = None
    weight_decay: float = 0.01
    optimizer: str = "AdamW"
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    scheduler: str = "linear"
    scheduler_options: Mapping[str, Any] = field(default_factory=dict)
    warmup: float = 0.1
    clip_norm: float = 1.0
    on_nonfinite: Literal["error", "skip"] = "error"
    evaluate_every: Literal["epoch"] | int = "epoch"
    seed: int = 42
    micro_batch: int | None = None
    training_memory: int | str = "auto"
    graph_tokens: int | None = None
    packing: bool = True
    model_name: str = "model"
    keep: Literal["best", "last"] = "best"
    fresh_head: bool = False


@dataclass(frozen=True)
class FitResult:
    """What a fit leaves besides the weights.

    Attributes:
        history: The evaluation points in order, epoch 0 included.
        stop_reason: Why it ended.
        epochs_run: Epochs that were completed.
        steps: Optimizer steps taken.
        kept: The point whose weights the encoder holds now; None where that was never evaluated.
        skipped_batches: Batches without a finite loss and gradient, whose step was not taken.
    """

    history: tuple[EvaluationPoint, ...]
    stop_reason: StopReason
    epochs_run: int
    steps: int
    kept: EvaluationPoint | None
    skipped_batches: int = 0
