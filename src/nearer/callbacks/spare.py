"""What a run can do without: writes that fail are told once, and the run goes on.

Used for what only describes a run (lines of metrics, ranks, examples). What a run is for, its
record and its artifact, is written by others, who raise.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOGGER = logging.getLogger("nearer")


class Spare:
    """Lets writes fail: the first that does is warned about, the others are passed over.

    Args:
        what: What is lost, for the warning: "ranks of the queries".
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.failed = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Do the writing in here; an OSError ends it, not the run."""
        try:
            yield
        except OSError as error:
            self.failed += 1
            if self.failed == 1:
                LOGGER.warning("%s could not be written; the run goes on: %s", self.what, error)


class LineFile:
    """A file that grows by whole lines, each on disk before the call returns.

    A line that could not be written is cut off where it began and comes with the next one, so the
    file never ends in half a line, and nothing is lost if the disk has room again later.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size, self._waiting = 0, b""
        self._spare = Spare(f"a line of {path}")

    def begin(self) -> None:
        """Begin anew with an empty file.

        Raises:
            OSError: It cannot be written: told before anything was trained.
        """
        self.path.write_bytes(b"")
        self.go_on()

    def go_on(self) -> None:
        """Add to the file as it is."""
        self._size, self._waiting = self.path.stat().st_size, b""

    def add(self, text: str) -> None:
        """Add lines, and those that have not been written yet."""
        self._waiting += text.encode("utf-8")
        self.finish()

    def finish(self) -> None:
        """Write what could not be written before, if there is anything."""
        if not self._waiting:
            return
        with self._spare.attempt():
            try:
                self._write()
            except OSError:
                with suppress(OSError):
                    os.truncate(self.path, self._size)
                raise

    def _write(self) -> None:
        with self.path.open("ab", buffering=0) as file:
            if file.tell() > self._size:  # half a line that could not be cut off before
                file.truncate(self._size)
            left = memoryview(self._waiting)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
            self._size, self._waiting = file.tell(), b""
