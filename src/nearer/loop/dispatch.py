"""Who hears which event, and what happens when one of them fails. Fires nothing by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from nearer.errors import Interrupted, NearerError
from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.loop.events import Event
from nearer.loop.notebook import LoopState


class Dispatcher:
    """Calls, for each event, only the callbacks that override it; worked out once."""

    def __init__(self, callbacks: Sequence[Callback], state: LoopState) -> None:
        self._state = state
        self._context = Context(state)
        self._all = tuple(callbacks)
        here = [c for c in callbacks if self._is_here(c)]
        self._listeners = {event: listeners(here, event) for event in Event}
        self.passed: tuple[Callback, ...] = ()
        """Those that declare metrics and returned None when they were last asked for them."""

    def emit(self, event: Event) -> None:
        """Call every listener; the first error ends it, with a note of where it came from."""
        self._state.event = event
        for callback in self._listeners[event]:
            try:
                getattr(callback, event.value)(self._context)
            except BaseException as error:
                self._annotate(error, callback, event)
                raise

    def gather(
        self, own: Mapping[str, float], asked: Sequence[Callback] | None = None
    ) -> dict[str, float]:
        """Call every producer and merge what they return; None says "not at this point".

        Of several processes all get what the producers of the first one returned.

        Args:
            own: What is reported at this point already; its names are taken.
            asked: Only these producers; None for all.

        Raises:
            NearerError: A name was returned twice, or a value is not a number.
        """
        self._state.event = Event.EVALUATE
        merged: dict[str, float] = {}
        passed = []
        for callback in self._listeners[Event.EVALUATE]:
            if asked is not None and not any(callback is one for one in asked):
                continue
            try:
                found = callback.on_evaluate(self._context)
                if found is None and callback.produces(self._state.config.model_name):
                    passed.append(callback)
                for name, value in (found or {}).items():
                    if name in merged or name in own:
                        raise NearerError(f'metric "{name}" is reported twice')
                    merged[name] = _number(name, value)
            except BaseException as error:
                self._annotate(error, callback, Event.EVALUATE)
                raise
        # The first process has heard all of them, and its word is everybody's.
        places = [i for i, one in enumerate(self._all) if any(one is c for c in passed)]
        merged, places = self._state.world.broadcast((merged, places))
        self.passed = tuple(self._all[i] for i in places)
        return merged

    def producers_of(self, metric: str) -> list[Callback]:
        """Those that declare a metric."""
        name = self._state.config.model_name
        return [c for c in self._all if any(m.key == metric for m in c.produces(name))]

    def passed_places(self) -> list[int]:
        """Places, in the list of callbacks, of those that passed when they were last asked."""
        return [i for i, one in enumerate(self._all) if any(one is c for c in self.passed)]

    def states(self) -> list[dict[str, Any]]:
        """What each callback needs for a resume, in the order of the list; those of here alone."""
        found = []
        for one in self._all:
            try:
                state = one.state_dict() if self._is_here(one) else {}
            except Exception as error:
                error.add_note(f"raised by {_name(one)}.state_dict")
                raise
            found.append({"class": _class(one), "state": state})
        return found

    def load_states(self, states: Sequence[Mapping[str, Any]], passed: Sequence[int]) -> None:
        """Give each callback of this process its state back.

        A callback takes the state of the one of its class that stood at the same place among those
        of its class; one that there was none of keeps what it has.

        Args:
            states: What `states` gave.
            passed: What `passed_places` gave.
        """
        left: dict[str, list[Mapping[str, Any]]] = {}
        for kept in states:
            left.setdefault(kept["class"], []).append(kept["state"])
        for callback in self._all:
            found = left.get(_class(callback))
            state = found.pop(0) if found else None
            if state is not None and self._is_here(callback):
                callback.load_state_dict(state)
        self.passed = tuple(self._all[i] for i in passed if i < len(self._all))

    def emit_exception(self, error: BaseException) -> None:
        """Tell everybody that the fit failed; what fails on the way becomes a note on the error."""
        self._state.event, self._state.error = Event.EXCEPTION, error
        for callback in self._listeners[Event.EXCEPTION]:
            try:
                callback.on_exception(self._context, error)
            except BaseException as second:
                error.add_note(f"{_name(callback)}.on_exception failed too: {second!r}")

    def close(self, error: BaseException | None) -> None:
        """Close every callback, whatever fails; the first failure is raised if nothing else was."""
        self._state.event = Event.CLOSE
        first: BaseException | None = None
        for callback in self._listeners[Event.CLOSE]:
            try:
                callback.on_close(self._context)
            except BaseException as failure:
                self._annotate(failure, callback, Event.CLOSE)
                if error is not None or first is not None:
                    (error or first).add_note(  # type: ignore[union-attr]
                        f"{_name(callback)}.on_close failed too: {failure!r}"
                    )
                else:
                    first = failure
        if first is not None:
            raise first

    def _is_here(self, callback: Callback) -> bool:
        return callback.every_process or self._state.world.is_main

    def _annotate(self, error: BaseException, callback: Callback, event: Event) -> None:
        if isinstance(error, Interrupted):  # a signal that came in the meantime: nobody's fault
            return
        error.add_note(
            f"raised by {_name(callback)}.{event.value} "
            f"at epoch {self._state.epoch}, step {self._state.step}"
        )


def listeners(callbacks: Sequence[Callback], event: Event) -> tuple[Callback, ...]:
    """The callbacks that override an event's method, in the order of the list."""
    empty = getattr(Callback, event.value)
    return tuple(c for c in callbacks if getattr(type(c), event.value) is not empty)


def _name(callback: Callback) -> str:
    return type(callback).__name__


def _class(callback: Callback) -> str:
    return f"{type(callback).__module__}.{type(callback).__qualname__}"


def _number(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise NearerError(
            f'metric "{name}" is {value!r}; on_evaluate must return numbers'
        ) from None
    return number
