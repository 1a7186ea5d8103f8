"""The rule "is it better, and is it time to stop?": numbers in, a verdict out. Knows no loop."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from nearer.loop.metrics import Direction
from nearer.loop.state import StopKind


@dataclass(frozen=True)
class Rule:
    """How values are judged.

    Attributes:
        direction: Whether more or less is better.
        patience: Evaluation points without significant improvement that end the fit; at least 1.
        min_delta: The mark moves only when it is beaten by more than this.
        baseline: A bar that the first mark must clear, by more than `min_delta`.
        threshold: A value at which there is no need to go on.
        start_from_epoch: Earlier points are not counted for the mark, patience or threshold; the
            best is tracked from the beginning all the same.
        check_finite: Whether NaN or an infinity ends the fit.
    """

    direction: Direction
    patience: int = 2
    min_delta: float = 0.0
    baseline: float | None = None
    threshold: float | None = None
    start_from_epoch: int = 0
    check_finite: bool = True


@dataclass(frozen=True)
class Verdict:
    """What one value means.

    Attributes:
        best: Whether it is strictly better than all before it (the earliest of equals stays).
        stop: Why the fit should end, or None.
    """

    best: bool
    stop: StopKind | None = None


@dataclass
class Monitor:
    """Tracks two things: the best value, and the mark that patience is counted from.

    The best moves for any strict improvement; its weights are the ones that are kept. The mark
    moves only when a value beats it by more than `min_delta`, so a slow climb adds up until it
    does. `wait` counts the points since the mark moved; epoch 0 sets the mark but is never waited
    for. NaN and infinities improve nothing.
    """

    rule: Rule
    best: float | None = None
    best_epoch: int | None = None
    mark: float | None = None
    wait: int = 0

    def observe(self, value: float, epoch: int) -> Verdict:
        """Judge the value of an evaluation point; call once for each, in order."""
        rule = self.rule
        if not math.isfinite(value):
            if rule.check_finite:
                return Verdict(best=False, stop=StopKind.NON_FINITE)
            return Verdict(best=False, stop=self._count(epoch))
        improved = self.best is None or self.beats(value, self.best)
        if improved:
            self.best, self.best_epoch = value, epoch
        if epoch < rule.start_from_epoch:
            return Verdict(improved)
        bar = rule.baseline if self.mark is None else self.mark
        if bar is None or self.beats(value, bar, rule.min_delta):
            self.mark, self.wait = value, 0
            stop = None
        else:
            stop = self._count(epoch)
        if rule.threshold is not None and not self.beats(rule.threshold, value):
            stop = StopKind.THRESHOLD
        return Verdict(improved, stop)

    def beats(self, value: float, bar: float, by: float = 0.0) -> bool:
        """Whether a value is better than another by more than an amount."""
        return value > bar + by if self.rule.direction == "max" else value < bar - by

    def _count(self, epoch: int) -> StopKind | None:
        if epoch == 0 or epoch < self.rule.start_from_epoch:
            return None
        self.wait += 1
        return StopKind.PATIENCE if self.wait >= self.rule.patience else None

    def state_dict(self) -> dict[str, Any]:
        """What it has seen, as JSON-able values; the rule is not part of it."""
        state = asdict(self)
        del state["rule"]
        return state


def decide(values: Iterable[float], rule: Rule) -> tuple[int | None, int | None]:
    """Apply a rule to the values of epochs 0, 1, 2, … until it stops.

    Returns:
        The epoch at which the fit stops (None: it never does) and the epoch of the best value.

    Example:
        >>> decide([0.5, 0.6, 0.55, 0.58, 0.9], Rule("max", patience=2))
        (3, 1)
    """
    monitor = Monitor(replace(rule))
    for epoch, value in enumerate(values):
        if monitor.observe(value, epoch).stop:
            return epoch, monitor.best_epoch
    return None, monitor.best_epoch
