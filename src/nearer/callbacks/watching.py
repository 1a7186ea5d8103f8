"""What callbacks that watch a metric share: which one, its value here, the best weights so far."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor

from nearer.loop.context import Context
from nearer.loop.metrics import Direction, MetricInfo, resolve
from nearer.loop.state import EvaluationPoint, point_of, point_values

Mode = Literal["auto", "min", "max"]
DEFAULT_MONITOR = "ndcg_at_k"


def monitored(monitor: str | None, declared: Sequence[MetricInfo]) -> tuple[str]:
    """The metric to watch: the one that was asked for, else nDCG, else the held-out loss."""
    if monitor is None:
        evaluated = any(metric.bare == DEFAULT_MONITOR for metric in declared)
        monitor = DEFAULT_MONITOR if evaluated else "val_loss"
    return (monitor,)


def find(monitor: str | None, mode: Mode, ctx: Context, watcher: str) -> tuple[str, Direction]:
    """Key and direction of the metric to watch; the direction is the one that it declares."""
    metric = resolve(*monitored(monitor, ctx.declared), ctx.declared, watcher)
    return metric.key, metric.direction if mode == "auto" else mode


def value_here(key: str, ctx: Context) -> float | None:
    """The value at this point; None where it was not measured or the point cannot be kept.

    An evaluation need not run at every point. One at which the metric is missing is passed over:
    it is never the best, and patience does not count it.
    """
    point = ctx.point
    return point.metrics.get(key) if point is not None and point.candidate else None


class BestWeights:
    """The weights of the best evaluation point, kept in memory until the fit ends."""

    def __init__(self) -> None:
        self.point: EvaluationPoint | None = None
        self.weights: dict[str, Tensor] = {}

    def keep(self, ctx: Context) -> None:
        """Keep the weights of the last evaluation point in place of those kept before."""
        self.point, self.weights = ctx.point, ctx.weights()

    def complete(self, ctx: Context) -> None:
        """Take the point anew where more has been reported of the weights that are kept."""
        if self.point is not None and ctx.point is not None and self.point.step == ctx.point.step:
            self.point = ctx.point

    def state_dict(self) -> dict[str, Any]:
        """Point and weights, as values and tensors."""
        point = None if self.point is None else point_values(self.point)
        return {"point": point, "weights": dict(self.weights)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.point = None if state["point"] is None else point_of(state["point"])
        self.weights = dict(state["weights"])

    def restore(self, ctx: Context) -> None:
        """Put the kept weights back, unless the user wants the last ones; then let them go."""
        if self.point is not None and ctx.config.keep == "best":
            ctx.load_weights(self.weights, self.point)
        self.point, self.weights = None, {}
