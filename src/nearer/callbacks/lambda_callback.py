"""LambdaCallback: a function for an event, where a class would be too much."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nearer.errors import SpecError, did_you_mean
from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.loop.events import Event
from nearer.loop.metrics import MetricInfo


class LambdaCallback(Callback):
    """Call functions at events.

    Args:
        metrics: What `on_evaluate` returns: direction by name, so that it can be monitored.
        **functions: A function of the context for each event, by the event's name; that of
            `on_exception` takes the error as well.

    Raises:
        SpecError: There is no such event; lists those there are.

    Example:
        >>> said = []
        >>> callback = LambdaCallback(on_epoch_end=lambda ctx: said.append(ctx.epoch))
    """

    def __init__(
        self, metrics: Mapping[str, Any] | None = None, **functions: Callable[..., Any]
    ) -> None:
        events = [event.value for event in Event]
        faults = [
            f'no event "{name}"; there are {", ".join(events)}.{did_you_mean(name, events)}'
            for name in functions
            if name not in events
        ]
        if faults:
            raise SpecError(faults)
        self.metrics = dict(metrics or {})
        self.functions = functions

    def produces(self, model_name: str) -> Sequence[MetricInfo]:
        """The metrics named at construction."""
        return [MetricInfo(name, direction, name) for name, direction in self.metrics.items()]

    def _call(self, event: Event, *arguments: Any) -> Any:
        function = self.functions.get(event.value)
        return None if function is None else function(*arguments)


def _heard(event: Event) -> Callable[..., Any]:
    def method(self: LambdaCallback, ctx: Context, *rest: Any) -> Any:
        return self._call(event, ctx, *rest)

    method.__name__ = event.value
    method.__doc__ = f"Call the function given for {event.value}, if any."
    return method


for _event in Event:
    setattr(LambdaCallback, _event.value, _heard(_event))
