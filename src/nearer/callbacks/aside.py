"""Calls made on a thread of their own and waited for only so long: a server may never answer."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future


class Aside:
    """One thread that makes all calls, in order, as clients keep things by thread.

    The thread is a daemon: a call that never returns holds up neither the run nor the end of the
    process.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], object], Future[None]] | None]
        self._calls = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def call(self, function: Callable[[], object], seconds: float) -> None:
        """Make a call and wait for its end.

        Raises:
            TimeoutError: It did not end in so many seconds; it goes on, and is not waited for.
            Exception: What the call raised.
        """
        done: Future[None] = Future()
        self._calls.put((function, done))
        try:
            done.result(seconds)
        except TimeoutError as error:
            if done.done():  # the call's own
                raise
            raise TimeoutError(f"no answer in {seconds:g} seconds") from error

    def end(self) -> None:
        """Let the thread end after the calls that were made."""
        self._calls.put(None)

    def _work(self) -> None:
        while (one := self._calls.get()) is not None:
            function, done = one
            try:
                function()
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(None)
