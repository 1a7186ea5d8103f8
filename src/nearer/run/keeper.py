"""Keeps a fit as it goes: asks the rule, writes on another thread, never ends a run by it."""

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from safetensors import SafetensorError

from nearer.errors import NearerError
from nearer.loop.snapshot import Snapshot
from nearer.loop.state import Position
from nearer.run.cadence import Cadence, Last, due
from nearer.run.checkpoint import clear_unfinished, write_checkpoint
from nearer.run.verify import Verification

LOGGER = logging.getLogger("nearer")


class Checkpoints:
    """The keeper of a run (`loop.keeping.Keeper`).

    What is given to `keep` is written on another thread, one at a time; a second one waits for the
    first. Where it cannot be written, the log says so and the checkpoint before it stays. Leaving
    the context waits for what is being written.

    Args:
        folder: Of the run's checkpoints.
        every: How often.
        facts: What the run has to be for a checkpoint to fit; written into each.
        writes: Whether this process is the one that writes.
        start: Where the fit begins, if not at its beginning.
        verification: Something to compare with on the way; None: nothing.
        clock: Seconds; a seam for tests.
    """

    def __init__(
        self,
        folder: Path,
        every: Cadence,
        facts: Mapping[str, Any],
        *,
        writes: bool = True,
        start: Position | None = None,
        verification: Verification | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._every, self._facts, self._writes = folder, every, facts, writes
        self._clock, self._verification = clock, verification
        self._began = clock()
        self._last = Last(self._began) if start is None else _last(start, self._began)
        self._kept: Position | None = start
        self._pool: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None

    def due(self, at: Position) -> bool:
        """Whether the fit is kept where it stands."""
        if self._verification is not None and self._verification.is_here(at):
            return True
        if not self._writes or at == self._kept:
            return False
        return due(self._every, self._clock(), self._last, at)

    def keep(self, at: Position, taken: Snapshot) -> None:
        """Write a snapshot; returns as soon as the one before it is written."""
        if self._verification is not None and self._verification.is_here(at):
            verification, self._verification = self._verification, None
            if self._writes:
                verification.compare(taken)
            return  # this very checkpoint is on disk
        if at == self._kept:  # a signal, just after it was kept
            return
        self._last = _last(at, self._clock())
        self._kept = at
        if not self._writes:
            return
        self.wait()
        seconds = self._facts.get("seconds", 0.0) + self._clock() - self._began
        contents = {"facts": {**self._facts, "seconds": seconds}, "fit": taken}
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "nearer-checkpoint")
        self._writing = self._pool.submit(self._write, at.step, contents)

    def wait(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def remove(self) -> None:
        """Remove all checkpoints: the run is finished."""
        self.wait()
        if self._writes:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "Checkpoints":
        """Clear away what a process left that died while it wrote."""
        if self._writes:
            clear_unfinished(self._folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what is being written; say so where nothing could be compared."""
        if error is None and self._verification is not None:
            LOGGER.warning("Not verified: the fit ended before it came by the last checkpoint")
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def _write(self, step: int, contents: Mapping[str, Any]) -> None:
        try:
            write_checkpoint(self._folder, step, contents)
        except (OSError, NearerError, SafetensorError) as error:
            self._kept = None
            LOGGER.warning(
                "The checkpoint at step %s could not be written: %s; the one before it stays, and "
                "the run goes on",
                step,
                error,
            )


def _last(at: Position, now: float) -> Last:
    """What is kept by a checkpoint: an epoch counts only once it is over."""
    return Last(now, at.step, at.epoch if at.ended else at.epoch - 1)
