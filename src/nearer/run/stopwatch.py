"""Where the time of a fit goes: a callback that parts it into training and evaluation."""

import time
from collections.abc import Callable as Function
from collections.abc import Mapping
from typing import Any

from nearer.loop.callback import Callback
from nearer.loop.context import Context


class Stopwatch(Callback):
    """Adds up the seconds of training and of evaluation; a resume goes on counting.

    What lies between two events belongs to the later one: drawing a batch and taking a snapshot to
    training, the held-out loss and the search to evaluation. Checkpoints are written beside.

    Args:
        clock: Seconds; a seam for tests.
    """

    def __init__(self, clock: Function[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.spent = {"training": 0.0, "evaluation": 0.0}

    def on_fit_begin(self, ctx: Context) -> None:
        """Begin at nothing."""
        self.spent = dict.fromkeys(self.spent, 0.0)
        self._last = self._clock()

    def on_train_batch_end(self, ctx: Context) -> None:
        """All since the last event was training."""
        self._count("training")

    def on_metrics(self, ctx: Context) -> None:
        """All since the last event was evaluation."""
        self._count("evaluation")

    def state_dict(self) -> dict[str, Any]:
        """The seconds so far."""
        return {"spent": dict(self.spent)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there; the time in between is nobody's."""
        self.spent, self._last = dict(state["spent"]), self._clock()

    def of(self, total: float, artifact: float) -> dict[str, float]:
        """Seconds by what they went to; they add up to the whole.

        Args:
            total: The whole run.
            artifact: Building the artifact.
        """
        spent = {**self.spent, "artifact": artifact}
        preparing = max(0.0, total - sum(spent.values()))
        return {name: round(s, 3) for name, s in {"preparing": preparing, **spent}.items()}

    def _count(self, phase: str) -> None:
        now = self._clock()
        self.spent[phase] += now - self._last
        self._last = now
