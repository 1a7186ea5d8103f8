"""A callback that writes down what it hears."""

from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

from nearer.loop.callback import Callback
from nearer.loop.events import Event


@dataclass
class Recorder(Callback):
    """Writes down (event, epoch, step, batch) of every event, in the order in which they come.

    Attributes:
        heard: All that was heard.
        errors: What `on_exception` was given.
    """

    heard: list[tuple[str, int, int, int]] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    @property
    def events(self) -> list[str]:
        """The names alone."""
        return [event for event, *_ in self.heard]


def _hear(event: Event) -> Any:
    def method(self: Recorder, ctx: Any, *rest: BaseException) -> None:
        self.heard.append((event.value, ctx.epoch, ctx.step, ctx.batch))
        self.errors.extend(rest)

    return method


for _event in Event:
    setattr(Recorder, _event.value, _hear(_event))


class Values(Callback):
    """Reports given values for a metric, one at each evaluation point; the last is repeated.

    Args:
        values: In order, epoch 0 first.
        name: Of the metric.
        direction: As it is declared.
    """

    def __init__(self, values: Any, name: str = "score", direction: str = "max") -> None:
        self.values, self.name, self.direction = list(values), name, direction

    def produces(self, model_name: str) -> list[Any]:
        """Declare the metric."""
        from nearer.loop.metrics import MetricInfo

        return [MetricInfo(self.name, self.direction, self.name)]

    def on_fit_begin(self, ctx: Any) -> None:
        """Begin with the first value."""
        left = self.values[len(ctx.history) :]  # at a resume
        self._coming = chain(left, *map(repeat, self.values[-1:]))

    def on_evaluate(self, ctx: Any) -> dict[str, float]:
        """Report the next value."""
        return {self.name: next(self._coming)}
