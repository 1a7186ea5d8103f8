"""SIGINT and SIGTERM: the first is kept for the loop to obey, a second SIGINT acts at once."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalWatch:
    """Remember the first signal while a fit runs; outside of the main thread none is caught.

    Args:
        asked: Whether somebody asked for a stop by other means, in words, or None.

    Example:
        >>> with SignalWatch() as watch:
        ...     watch() is None
        True
    """

    def __init__(self, asked: Callable[[], str | None] = lambda: None) -> None:
        self._asked = asked
        self._came: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __call__(self) -> str | None:
        """The name of the signal that came, what was asked for, or None."""
        if self._came is None:
            self._came = self._asked()
        return self._came

    def __enter__(self) -> "SignalWatch":
        """Install the handlers; only the main thread can."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the handlers back."""
        for number, before in self._before.items():
            signal.signal(number, before)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self._came is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._came = self._came or signal.Signals(number).name
