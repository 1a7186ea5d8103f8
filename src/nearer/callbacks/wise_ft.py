"""WiSEFT: at the end of a fit, weights between those that came and those that were tuned."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from nearer.callbacks.arguments import number_faults
from nearer.callbacks.monitor import Monitor, Rule
from nearer.callbacks.watching import BestWeights, Mode, find, monitored, value_here
from nearer.errors import Interrupted, SpecError
from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.loop.metrics import MetricInfo
from nearer.loop.state import EvaluationPoint

LOGGER = logging.getLogger("nearer")
Weights = Mapping[str, Tensor]
TENTHS = tuple(i / 10 for i in range(11))

LORA_INNER = ".lora_A."
"""In the names of what reads the input of an adapter; what writes its output began at 0."""


class WiSEFT(Callback):
    """Interpolate between the weights that came and the tuned ones, once the fit has ended.

    Wortsman et al., "Robust fine-tuning of zero-shot models" (2021, arXiv:2109.01903): weights
    (1 - alpha) * original + alpha * tuned often score as well as the tuned ones on data like that
    of the training, and better elsewhere. The tuned ones are those that the fit hands back; where
    no epoch beat the model as it came, the best of the epochs. Only what was trained differs. A
    newly added head has no original and stays as it was tuned; of LoRA adapters the share that they
    add to the weights is scaled.

    Args:
        alpha: 0 is the model as it came, 1 the tuned one. Default: the best of `alphas`.
        alphas: What is tried; 0 and 1 are known from the run, each other one is an evaluation.
        monitor: Metric to choose by. Default: `ndcg_at_k` where there is an evaluation, else
            `val_loss`.
        mode: "min", "max", or "auto": as the metric itself declares.

    Attributes:
        result: After a fit: `alpha`, the key of `monitor`, `tuned` (epoch and step of the tuned
            weights, None where they are of no evaluation) and `curve`, a list of
            `{"alpha": …, "value": …}`. None before, and where a signal ended the fit.

    Raises:
        SpecError: An argument is out of range; or nothing that came is trained.
        MetricNotReported: Nobody reports the metric; before anything is trained.

    Example:
        >>> WiSEFT(alphas=[0.25, 0.5, 0.75]).alphas
        (0.25, 0.5, 0.75)
    """

    every_process: ClassVar[bool] = True
    _original: Weights
    _tuned: Weights
    _point: EvaluationPoint | None
    _first: float | None
    _best: BestWeights
    _trying: bool

    def __init__(
        self,
        alpha: float | None = None,
        alphas: Sequence[float] = TENTHS,
        monitor: str | None = None,
        mode: Mode = "auto",
    ) -> None:
        faults = []
        if mode not in ("auto", "min", "max"):
            faults.append(f'WiSEFT.mode: "{mode}"; must be "auto", "min" or "max"')
        if not isinstance(alphas, Sequence) or isinstance(alphas, str) or not alphas:
            faults.append(f"WiSEFT.alphas: {alphas!r}; must be a list, such as [0.25, 0.5, 0.75]")
            alphas = ()
        for name, value in [("alpha", alpha), *(("alphas", one) for one in alphas)]:
            if value is not None:
                wrong = number_faults(f"WiSEFT.{name}", value, 0.0)
                if not wrong and value > 1:
                    wrong = [f"WiSEFT.{name}: {value}; must be at most 1"]
                faults += wrong
        if faults:
            raise SpecError(faults)
        self.alpha = alpha
        self.alphas = tuple(alphas)
        self.monitor = monitor
        self.mode = mode
        self.result: dict[str, Any] | None = None
        self._began()

    def monitors(self, declared: Sequence[MetricInfo]) -> Sequence[str]:
        """The metric to choose by; none where there is nothing to choose."""
        return monitored(self.monitor, declared) if self.alpha is None else ()

    def on_fit_begin(self, ctx: Context) -> None:
        """Keep the weights that came."""
        self.result = None
        self._began()
        self._key = ""
        if self.alpha is None:
            self._key, direction = find(self.monitor, self.mode, ctx, "WiSEFT")
            self._monitor = Monitor(Rule(direction, check_finite=False))
        self._original = original_weights(ctx.weights(came=True))
        if not self._original:
            raise SpecError(["WiSEFT: nothing that came is trained; freeze less, or leave it out"])

    def on_metrics(self, ctx: Context) -> None:
        """Keep the best of the epochs, as long as none of them beats the model as it came."""
        if self.alpha is not None or self._trying:
            return
        value = value_here(self._key, ctx)
        if value is None or ctx.config.keep == "last":
            return
        if ctx.step == 0:
            self._first = value
        elif self._monitor.observe(value, ctx.epoch).best:
            beaten = self._first is None or self._monitor.beats(value, self._first)
            self._best = BestWeights()
            if not beaten:  # else whoever keeps the best has these weights, and puts them back
                self._best.keep(ctx)

    def on_weights_chosen(self, ctx: Context) -> None:
        """Try what is between, and leave the best; or what was asked for."""
        if not ctx.step:
            return
        self._tuned, self._point = ctx.weights(), ctx.kept
        if self._point is not None and self._point.step == 0 and self._best.point is not None:
            self._tuned, self._point = self._best.weights, self._best.point
        self._trying = True
        curve = [] if self.alpha is not None else self._curve(ctx)
        alpha = self.alpha
        if alpha is None:
            alpha = best_alpha(curve, self._monitor.rule.direction)
        tuned = None if self._point is None else vars(self._point)
        self.result = {
            "alpha": alpha,
            "monitor": self._key or None,
            "tuned": None if tuned is None else {n: tuned[n] for n in ("epoch", "step")},
            "curve": [{"alpha": a, "value": v} for a, v in curve],
        }
        self._load(ctx, alpha)
        self._say()
        self._began()

    def on_exception(self, ctx: Context, error: BaseException) -> None:
        """Hand back the tuned weights where a signal came while others were tried."""
        if isinstance(error, Interrupted):
            LOGGER.info("WiSE-FT: a signal ended the fit, so its weights were not interpolated")
            if self._trying:
                ctx.load_weights(self._tuned, self._point)

    def state_dict(self) -> dict[str, Any]:
        """The weights that came, and the best of the epochs."""
        seen = {} if self.alpha is not None else self._monitor.state_dict()
        return {
            "original": dict(self._original),
            "first": self._first,
            "best": self._best.state_dict(),
            "monitor": seen,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._original, self._first = dict(state["original"]), state["first"]
        self._best.load_state_dict(state["best"])
        if self.alpha is None:
            self._monitor = Monitor(self._monitor.rule, **state["monitor"])

    def _began(self) -> None:
        """Hold nothing of an earlier fit."""
        self._original, self._tuned = {}, {}
        self._point = self._first = None
        self._best, self._trying = BestWeights(), False

    def _curve(self, ctx: Context) -> list[tuple[float, float]]:
        """What each alpha scores."""
        curve = []
        with ctx.track("WiSE-FT", len(self.alphas)) as advance:
            for alpha in self.alphas:
                at = self._known(ctx, alpha)
                value = None if at is None else at.metrics.get(self._key)
                if value is None:
                    ctx.load_weights(interpolate(self._original, self._tuned, alpha))
                    value = ctx.score(self._key)[self._key]
                curve.append((alpha, value))
                advance(1)
        return curve

    def _known(self, ctx: Context, alpha: float) -> EvaluationPoint | None:
        """The evaluation point of the run that has just these weights."""
        if alpha == 1:
            return self._point
        first = ctx.history[0]
        return first if alpha == 0 and first.step == 0 and first.candidate else None

    def _load(self, ctx: Context, alpha: float) -> None:
        mixed = interpolate(self._original, self._tuned, alpha)
        ctx.load_weights(mixed, self._known(ctx, alpha))

    def _say(self) -> None:
        assert self.result is not None
        for one in self.result["curve"]:
            LOGGER.info("WiSE-FT: alpha %.3g: %s %.5f", one["alpha"], self._key, one["value"])
        LOGGER.info(
            "WiSE-FT: the artifact has (1 - alpha) * original + alpha * tuned weights, alpha %.3g",
            self.result["alpha"],
        )


def interpolate(original: Weights, tuned: Weights, alpha: float) -> dict[str, Tensor]:
    """(1 - alpha) * original + alpha * tuned; what has no original stays as it was tuned.

    At 0 and 1 it gives the originals and the tuned ones bit for bit.

    Example:
        >>> zero, four = torch.zeros(1), torch.full((1,), 4.0)
        >>> interpolate({"w": zero}, {"w": four, "head": four}, 0.25)
        {'w': tensor([1.]), 'head': tensor([4.])}
    """
    return {
        name: torch.lerp(original[name], value, alpha) if name in original else value
        for name, value in tuned.items()
    }


def original_weights(came: Weights) -> dict[str, Tensor]:
    """The weights that have something to go back to.

    Counters of batch norm are no weights. An adapter adds B A to a matrix, and B began at 0: with
    B scaled and A as it was tuned, what it adds is scaled.
    """
    return {n: w for n, w in came.items() if w.is_floating_point() and LORA_INNER not in n}


def best_alpha(curve: Sequence[tuple[float, float]], direction: str) -> float:
    """The alpha of the best value; of equals the smallest. NaN is never the best.

    Example:
        >>> best_alpha([(0, 0.5), (0.5, 0.7), (1, 0.7)], "max")
        0.5
    """
    sign = 1 if direction == "max" else -1
    finite = [(sign * value, -alpha) for alpha, value in curve if value == value]
    return -max(finite)[1] if finite else 1.0
