"""BestModelCheckpoint: keep the weights of the best evaluation point and hand them back."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nearer.callbacks.monitor import Monitor, Rule
from nearer.callbacks.watching import BestWeights, Mode, find, monitored, value_here
from nearer.errors import Interrupted, SpecError
from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.loop.metrics import MetricInfo


class BestModelCheckpoint(Callback):
    """Hand back the model that scored best, without ever stopping the fit.

    Only a strictly better value counts; the earliest of equals stays, epoch 0 (the model as it
    came) included. The weights that training changes are kept in memory. With an EarlyStopping
    this is not needed: that one hands back the best by itself.

    Args:
        monitor: Name of a reported metric. Default: `ndcg_at_k` where there is an evaluation, else
            `val_loss`.
        mode: "min", "max", or "auto": as the metric itself declares.

    Raises:
        SpecError: The mode is none of these.
        MetricNotReported: Nobody reports the metric; before anything is trained.

    Example:
        >>> BestModelCheckpoint("recall_at_k").monitor
        'recall_at_k'
    """

    every_process: ClassVar[bool] = True

    def __init__(self, monitor: str | None = None, mode: Mode = "auto") -> None:
        if mode not in ("auto", "min", "max"):
            raise SpecError([f'BestModelCheckpoint.mode: "{mode}"; must be "auto", "min" or "max"'])
        self.monitor = monitor
        self.mode = mode
        self._best = BestWeights()

    def monitors(self, declared: Sequence[MetricInfo]) -> Sequence[str]:
        """The metric that decides."""
        return monitored(self.monitor, declared)

    def on_fit_begin(self, ctx: Context) -> None:
        """Begin anew: nothing is left over from an earlier fit."""
        self._key, direction = find(self.monitor, self.mode, ctx, "BestModelCheckpoint")
        self._monitor = Monitor(Rule(direction, check_finite=False))
        self._best = BestWeights()

    def on_metrics(self, ctx: Context) -> None:
        """Keep the weights if this point is the best so far."""
        self._best.complete(ctx)
        value = value_here(self._key, ctx)
        if value is not None and self._monitor.observe(value, ctx.epoch).best:
            self._best.keep(ctx)

    def on_fit_end(self, ctx: Context) -> None:
        """Hand back the best."""
        self._best.restore(ctx)

    def on_exception(self, ctx: Context, error: BaseException) -> None:
        """Hand back the best where a signal ended the fit."""
        if isinstance(error, Interrupted):
            self._best.restore(ctx)

    def state_dict(self) -> dict[str, Any]:
        """Best value, its epoch and its weights."""
        return {**self._monitor.state_dict(), "kept": self._best.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        seen = {name: value for name, value in state.items() if name != "kept"}
        self._monitor = Monitor(self._monitor.rule, **seen)
        if "kept" in state:
            self._best.load_state_dict(state["kept"])
