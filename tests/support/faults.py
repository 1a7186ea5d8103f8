"""Callbacks that fail on purpose."""

from typing import Any

from nearer.loop.callback import Callback
from nearer.loop.events import Event


class Boom(Exception):
    """What a broken callback raises."""


class FailAt(Callback):
    """Raises when it hears an event for the first time (in a given epoch).

    Args:
        event: Where.
        error: What; default `Boom`.
        epoch: When; default: whenever the event comes.
    """

    def __init__(
        self, event: Event | str, error: BaseException | None = None, epoch: int | None = None
    ) -> None:
        self.event = Event(event)
        self.error = error or Boom(f"at {self.event.value}")
        self.epoch = epoch

    def _hear(self, event: Event, ctx: Any) -> None:
        if event is self.event and self.epoch in (None, ctx.epoch):
            raise self.error


def _heard(event: Event) -> Any:
    def method(self: FailAt, ctx: Any, *rest: Any) -> None:
        self._hear(event, ctx)

    return method


for _event in Event:
    setattr(FailAt, _event.value, _heard(_event))


def signal_at(step: int, name: str = "SIGINT") -> Any:
    """A `signal` argument of the loop: None until it was asked so many times, then the name."""
    asked = 0

    def signal() -> str | None:
        nonlocal asked
        asked += 1
        return name if asked >= step else None

    return signal
