"""What an evaluation costs, as a line for people: rows, seconds, share of the training time."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from nearer.evaluation.result import EvaluationResult

BATCHES = 10
"""Training batches that are timed; fewer where an epoch has fewer."""

MUCH = 0.5
"""Share of the training time from which on the line says how to evaluate for less."""


def cost_line(name: str, rows: int, seconds: float, training: float, between: str) -> str:
    """Say what one evaluation costs.

    Args:
        name: Of the evaluation: the prefix of its metrics.
        rows: Distinct rows that it encodes.
        seconds: That it takes.
        training: Seconds of training from one evaluation to the next.
        between: That time in words: "an epoch", "100 steps".

    Example:
        >>> cost_line("minilm", 6460, 71.2, 309.5, "an epoch")
        'Evaluating minilm: 6,460 rows to encode, 71 s each time; 23 % of the time of an epoch'
    """
    share = seconds / training
    noun = "row" if rows == 1 else "rows"
    line = (
        f"Evaluating {name}: {rows:,} {noun} to encode, {_rounded(seconds)} s each time; "
        f"{_percent(share)} of the time of {between}"
    )
    if share <= MUCH:
        return line
    return f"{line}. For less: query_sample_size, a larger every, or a smaller index"


def interval(every: int, evaluate_every: int | str) -> str:
    """What is trained between two evaluations, in words.

    Example:
        >>> interval(1, "epoch"), interval(3, "epoch"), interval(2, 50)
        ('an epoch', '3 epochs', '100 steps')
    """
    if evaluate_every == "epoch":
        return "an epoch" if every == 1 else f"{every} epochs"
    steps = every * int(evaluate_every)
    return "a step" if steps == 1 else f"{steps:,} steps"


class Cost:
    """Times the first batches, and takes an evaluation of which all rows were encoded.

    An evaluation before training that was answered from a cache says nothing of those to come; the
    next one, of weights that have changed, does.

    Args:
        clock: Seconds; a seam for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._times: list[float] = []
        self._began: float | None = None
        self._taken: tuple[int, float] | None = None
        self.said = False

    def begin_batch(self) -> None:
        """A batch begins."""
        self._began = self._clock()

    def end_batch(self) -> None:
        """It is done."""
        if self._began is not None and len(self._times) < BATCHES:
            self._times.append(self._clock() - self._began)

    def take(self, result: EvaluationResult, trained: bool, frozen: bool = False) -> None:
        """Note what an evaluation took, where it tells what those to come will take.

        Args:
            result: What came of it.
            trained: Whether it was of weights that had been trained.
            frozen: Whether some weights never change: what they make is not computed again, so
                that the evaluation before training takes longer than those to come.
        """
        tells = result.encoded >= result.distinct and not frozen
        if self._taken is None and (tells or (trained and result.encoded > 0)):
            self._taken = result.encoded, result.seconds

    def state_dict(self) -> dict[str, Any]:
        """What it has timed, and whether the line was said."""
        return {"times": list(self._times), "taken": self._taken, "said": self.said}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._times, self.said = list(state["times"]), state["said"]
        taken = state["taken"]
        self._taken = None if taken is None else (taken[0], taken[1])

    def line(self, name: str, every: int, evaluate_every: int | str, batches: int) -> str | None:
        """The line, once: as soon as both are known, after the batches that are timed.

        Args:
            name: Of the evaluation.
            every: Points from one evaluation to the next.
            evaluate_every: As of the fit: "epoch", or steps from one point to the next.
            batches: In an epoch.
        """
        if self.said or self._taken is None or len(self._times) < min(BATCHES, batches):
            return None
        self.said = True
        steps = every * (batches if evaluate_every == "epoch" else int(evaluate_every))
        # The median: the first batch of all sets things up, and takes longer for it.
        training = max(statistics.median(self._times) * steps, 1e-9)
        return cost_line(name, *self._taken, training, interval(every, evaluate_every))


def _rounded(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.1f}"


def _percent(share: float) -> str:
    return "less than 1 %" if share < 0.01 else f"{100 * share:,.0f} %"
