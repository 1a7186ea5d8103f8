"""Stopping a run from any process on any host: a file in its folder that the run looks for.

A signal would reach only processes of this host and would not say who sent it. How a run ends once
it was asked is the loop's affair.
"""

import getpass
import json
import math
import socket
import time
from contextlib import suppress
from pathlib import Path

from nearer.artifact.atomic import write_text
from nearer.errors import UsageError
from nearer.run.lock import where, works
from nearer.run.record import RunFolder, Status, now
from nearer.run.resume import resume_command

AT_WORK = ("created", "running")
FILENAME = "stop"
EVERY = 0.5
"""Seconds from one look at the folder to the next: on a network disk a look is not free."""


def ask(folder: RunFolder) -> str | None:
    """Ask a run to stop; it does so when its step is finished.

    Returns:
        Who asked before, and when; None where this is the first time.

    Raises:
        UsageError: It has ended, its process is gone, or its folder cannot be written.
    """
    record, name = folder.read(), folder.path.name
    if record["status"] == "dead":
        raise UsageError(
            f'run "{name}" is dead: {where(record["process"])} is gone; there is nothing to stop. '
            f"Go on with it: {resume_command(folder.path)}"
        )
    if record["status"] not in AT_WORK:
        raise UsageError(f'run "{name}" has ended: it is {record["status"]}; nothing to stop')
    path = folder.path / FILENAME
    if (before := _read(path)) is not None:
        return before
    try:
        write_text(path, json.dumps({"by": _myself(), "at": now()}) + "\n")
    except OSError as error:
        raise UsageError(
            f"cannot write to {folder.path}: {error.strerror or error}; ask who may, or end "
            f"{where(record['process'])} with SIGTERM"
        ) from error
    return None


def at_work(folder: RunFolder) -> bool:
    """Whether a process is at work on a run; also on what comes after its status is known."""
    record = folder.read()
    return record["status"] in AT_WORK or works(record["process"], folder.path)


def wait(folder: RunFolder, timeout: float | None = None) -> Status:
    """Wait until a run has ended and its process has let go of it, so that it can be gone on with.

    Args:
        folder: Of the run.
        timeout: Most seconds to wait; None: as long as it takes.

    Returns:
        Its status; still created or running where the time was over.
    """
    end = math.inf if timeout is None else time.monotonic() + timeout
    while at_work(folder) and (left := end - time.monotonic()) > 0:
        time.sleep(min(EVERY, left))
    status: Status = folder.read()["status"]
    return status


def forget(folder: Path) -> None:
    """Take a request away, if there is one: it was for a fit that has ended."""
    with suppress(OSError):
        (folder / FILENAME).unlink()


class Requests:
    """Look for a request, now and then.

    Args:
        folder: Of the run.

    Example:
        >>> Requests(Path("nowhere"))() is None
        True
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILENAME
        self._next = 0.0

    def __call__(self) -> str | None:
        """A stop that somebody asked for, in words; or None."""
        at = time.monotonic()
        if at < self._next:
            return None
        self._next = at + EVERY
        asked = _read(self._path)
        return None if asked is None else f"a stop asked for by {asked.partition(', ')[0]}"


def _read(path: Path) -> str | None:
    """Who asked, and when; None where nobody did."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return f"{said['by']}, {said['at']}"
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError):  # made by hand: that is a request too
        return "somebody"


def _myself() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
