"""EarlyStopping: end the fit when a metric no longer rises, and hand back the best model."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nearer.callbacks.arguments import number_faults
from nearer.callbacks.monitor import Monitor, Rule
from nearer.callbacks.watching import BestWeights, Mode, find, monitored, value_here
from nearer.errors import Interrupted, SpecError
from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.loop.metrics import MetricInfo
from nearer.loop.state import StopKind, StopReason


class EarlyStopping(Callback):
    """Stop the fit when a metric has not improved for `patience` evaluations.

    A value counts as improvement when it beats the mark by more than `min_delta`; the mark then
    moves to it, so a slow climb adds up. The best model is the one with the strictly best value,
    the earliest of equals, epoch 0 (the model as it came) included; it is what the fit hands back,
    whatever ended it: patience, the last epoch, Ctrl-C. NaN and infinities never improve and, with
    `check_finite`, end the fit.

    Args:
        monitor: Name of a reported metric: "ndcg_at_k", "minilm_recall_at_k", "val_loss", …
            Default: `ndcg_at_k` where there is an evaluation, else `val_loss`.
        mode: "min", "max", or "auto": as the metric itself declares.
        patience: Evaluations without improvement that end the fit; at least 1.
        min_delta: Smallest gain that counts, in the units of the metric; at least 0.
        baseline: A bar that the first improvement must clear.
        stopping_threshold: Stop as soon as the metric is at least this good.
        start_from_epoch: Epochs before this one never stop the fit, unless by NaN or infinity.
        check_finite: Whether NaN or an infinity stops the fit.
        restore_best: Whether the best weights are put back at the end.

    Raises:
        SpecError: An argument is out of range; all of them are listed.
        MetricNotReported: Nobody reports the metric; before anything is trained.

    Example:
        >>> stopping = EarlyStopping("ndcg_at_k", patience=2, min_delta=0.001)
        >>> stopping.patience
        2
    """

    every_process: ClassVar[bool] = True

    def __init__(
        self,
        monitor: str | None = None,
        mode: Mode = "auto",
        patience: int = 2,
        min_delta: float = 0.0,
        baseline: float | None = None,
        stopping_threshold: float | None = None,
        start_from_epoch: int = 0,
        check_finite: bool = True,
        restore_best: bool = True,
    ) -> None:
        faults = []
        if mode not in ("auto", "min", "max"):
            faults.append(f'EarlyStopping.mode: "{mode}"; must be "auto", "min" or "max"')
        faults += number_faults("EarlyStopping.patience", patience, 1)
        faults += number_faults("EarlyStopping.min_delta", min_delta, 0.0)
        faults += number_faults("EarlyStopping.start_from_epoch", start_from_epoch, 0)
        for name, bar in (("baseline", baseline), ("stopping_threshold", stopping_threshold)):
            faults += [] if bar is None else number_faults(f"EarlyStopping.{name}", bar)
        if faults:
            raise SpecError(faults)
        self.monitor = monitor
        self.mode = mode
        self.patience = patience
        self.min_delta = min_delta
        self.baseline = baseline
        self.stopping_threshold = stopping_threshold
        self.start_from_epoch = start_from_epoch
        self.check_finite = check_finite
        self.restore_best = restore_best
        self._best = BestWeights()

    def monitors(self, declared: Sequence[MetricInfo]) -> Sequence[str]:
        """The metric that decides."""
        return monitored(self.monitor, declared)

    def on_fit_begin(self, ctx: Context) -> None:
        """Begin anew: nothing is left over from an earlier fit."""
        self._key, direction = find(self.monitor, self.mode, ctx, "EarlyStopping")
        self._best = BestWeights()
        self._monitor = Monitor(
            Rule(
                direction,
                self.patience,
                self.min_delta,
                self.baseline,
                self.stopping_threshold,
                self.start_from_epoch,
                self.check_finite,
            )
        )

    def on_metrics(self, ctx: Context) -> None:
        """Judge this point's value; keep the weights if it is the best, stop if it is time."""
        self._best.complete(ctx)
        value = value_here(self._key, ctx)
        if value is None:
            return
        verdict = self._monitor.observe(value, ctx.epoch)
        if verdict.best and self.restore_best:
            self._best.keep(ctx)
        if verdict.stop:
            ctx.request_stop(StopReason(verdict.stop, self._detail(verdict.stop, value)))

    def on_fit_end(self, ctx: Context) -> None:
        """Hand back the best."""
        self._best.restore(ctx)

    def on_exception(self, ctx: Context, error: BaseException) -> None:
        """Hand back the best where a signal ended the fit; another error hands back nothing."""
        if isinstance(error, Interrupted):
            self._best.restore(ctx)

    def state_dict(self) -> dict[str, Any]:
        """Best value, mark and wait, and the best weights."""
        return {**self._monitor.state_dict(), "kept": self._best.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on counting where `state_dict` was taken."""
        seen = {name: value for name, value in state.items() if name != "kept"}
        self._monitor = Monitor(self._monitor.rule, **seen)
        if "kept" in state:
            self._best.load_state_dict(state["kept"])

    def _detail(self, kind: StopKind, value: float) -> str:
        monitor = self._monitor
        if kind is StopKind.NON_FINITE:
            return f"{self._key} is {value}"
        if kind is StopKind.THRESHOLD:
            return f"{self._key} is {value:.5f}, at or past {self.stopping_threshold}"
        times = "evaluation" if monitor.wait == 1 else "evaluations"
        best = "none" if monitor.best is None else f"{monitor.best:.5f}"
        return (
            f"{self._key} has not improved for {monitor.wait} {times} "
            f"(best {best} at epoch {monitor.best_epoch})"
        )
