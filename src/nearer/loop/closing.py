"""The end of a fit at a point where somebody did not evaluate: they are asked once more."""

from nearer.encoder.embedding import evaluating
from nearer.loop.dispatch import Dispatcher
from nearer.loop.events import Event
from nearer.loop.notebook import LoopState


def complete_last_point(state: LoopState, events: Dispatcher) -> None:
    """Ask the producers that passed at the last point, so that a fit ends with every metric.

    A stop that is asked for in `on_metrics` or later comes too late for those who evaluate at
    every n-th point only. What they report now, with what was reported before, is one more point
    at the same step.
    """
    passed, reported = events.passed, state.history[-1].metrics
    if not passed:
        return
    with evaluating(state.encoder.module):
        found = events.gather(reported, passed)
    if found:
        state.add_point({**reported, **found})
        events.emit(Event.METRICS)
