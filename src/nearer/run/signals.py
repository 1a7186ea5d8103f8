"""SIGINT and SIGTERM: the first is kept for the loop to obey, a second SIGINT acts at once."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalWatch:
    """Remember the first signal while a fit runs; outside of the main thread do nothing.

    Example:
        >>> with SignalWatch() as watch:
        ...     watch() is None
        True
    """

    def __init__(self) -> None:
        self._came: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __call__(self) -> str | None:
        """The name of the signal that came, or None."""
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
