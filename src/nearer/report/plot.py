"""Curves as geometry: where lines, marks and labels lie in a picture. Draws none; see page.html."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 440, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 40
MOST_DOTS = 60
"""Points of a line beyond which only its marks are drawn as dots."""


@dataclass(frozen=True)
class Series:
    """One line.

    Attributes:
        name: What it shows.
        points: `(step, epoch, value)` in order; values are finite.
        thin: Whether it is the background of the others: a thin line without dots.
    """

    name: str
    points: tuple[tuple[int, int, float], ...]
    thin: bool = False


@dataclass(frozen=True)
class Plot:
    """Some lines over the steps of a fit.

    Attributes:
        title: What is shown.
        series: The lines.
        best: Step of the point whose weights are kept; None: not marked.
        stop: Step at which the fit was stopped early; None: not marked.
    """

    title: str
    series: tuple[Series, ...]
    best: int | None = None
    stop: int | None = None

    @property
    def description(self) -> str:
        """All of it in words, for a reader who does not see it."""
        said = []
        for one in self.series:
            step, epoch, first = one.points[0]
            last = one.points[-1]
            values = [value for _, _, value in one.points]
            said.append(
                f"{one.name}: {len(one.points)} points, {first:.4g} at epoch {epoch} "
                f"(step {step}), {last[2]:.4g} at epoch {last[1]} (step {last[0]}); "
                f"lowest {min(values):.4g}, highest {max(values):.4g}."
            )
        if self.best is not None:
            said.append(f"The model that is kept is that of step {self.best}.")
        if self.stop is not None:
            said.append(f"The fit was stopped early at step {self.stop}.")
        return " ".join(said)

    def x(self, step: int) -> float:
        """Where a step lies from left to right."""
        last = max(1, *(one.points[-1][0] for one in self.series), self.stop or 0)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * step / last, 1)

    def y(self, value: float) -> float:
        """Where a value lies from top to bottom."""
        low, high = self.ticks[0], self.ticks[-1]
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low), 1)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Round values from below the lowest to above the highest."""
        values = [value for one in self.series for _, _, value in one.points]
        return nice_ticks(min(values), max(values))

    def label(self, tick: float) -> str:
        """A tick as it is printed, with as many decimals as its neighbours."""
        step = self.ticks[1] - self.ticks[0]
        return f"{tick:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"

    @property
    def epochs(self) -> tuple[tuple[int, int], ...]:
        """`(epoch, step)` of the labels below: where each epoch ended, at most about eight."""
        ends = {epoch: step for one in self.series for step, epoch, _ in one.points}
        every = math.ceil(len(ends) / 8)
        return tuple(sorted(ends.items()))[::every]

    def line(self, series: Series) -> str:
        """The points of an SVG polyline."""
        return " ".join(f"{self.x(step)},{self.y(value)}" for step, _, value in series.points)

    def dots(self, series: Series) -> Sequence[tuple[int, int, float]]:
        """The points that are drawn as dots and say their value."""
        few = len(series.points) <= MOST_DOTS
        return [p for p in series.points if not series.thin and (few or p[0] == self.best)]


def nice_ticks(low: float, high: float, about: int = 4) -> tuple[float, ...]:
    """Round numbers that enclose two values.

    Example:
        >>> nice_ticks(0.31, 0.58)
        (0.3, 0.4, 0.5, 0.6)
    """
    if high <= low:
        room = abs(low) / 10 or 0.1
        low, high = low - room, low + room
    rough = (high - low) / about
    size = 10.0 ** math.floor(math.log10(rough))
    step = size * next((m for m in (1, 2, 5) if m * size >= rough), 10)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(float(f"{step * i:.12g}") for i in range(first, last + 1))
