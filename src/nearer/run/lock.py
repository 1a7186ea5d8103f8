"""Who works on a run: a file in its folder that one process at a time may hold.

It names its owner, so that whoever is refused knows whom to wait for, and so that one that died is
noticed. What a run's record says of its status is record.py's.
"""

import json
import os
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nearer.errors import RunExists

FILENAME = "lock"

_held: set[tuple[int, Path]] = set()
"""What this process holds; with its number, as a fork has a copy of this but holds nothing."""


def take(folder: Path) -> None:
    """Take a run's lock; one whose owner has died is taken over.

    Args:
        folder: Of the run; must be there.

    Raises:
        RunExists: Another process holds it, or may: one on another host can't be looked for. The
            message names it and says what to do.
        OSError: The folder cannot be written.
    """
    path, mine = folder / FILENAME, json.dumps(process()) + "\n"
    with _one_at_a_time(folder):
        if (os.getpid(), path) in _held:
            raise _refused(folder, process())
        owner = read(folder)
        if owner is not None and alive(owner) and owner != process():
            raise _refused(folder, owner)
        _put(path, mine, over=path.exists())
        _held.add((os.getpid(), path))


def release(folder: Path) -> None:
    """Give back what `take` took; without it, nothing."""
    path = folder / FILENAME
    if (os.getpid(), path) in _held:
        _held.discard((os.getpid(), path))
        with suppress(OSError):
            path.unlink()


def moved(folder: Path, to: Path) -> None:
    """The folder of a run whose lock this process holds has another name now."""
    _held.discard((os.getpid(), folder / FILENAME))
    _held.add((os.getpid(), to / FILENAME))


def read(folder: Path) -> dict[str, Any] | None:
    """The owner of a run's lock; None where nobody holds it, or what is there names nobody."""
    with suppress(OSError, ValueError):
        owner = json.loads((folder / FILENAME).read_text(encoding="utf-8"))
        return owner if isinstance(owner, dict) else None
    return None


def process() -> dict[str, Any]:
    """This process, so that a later look can tell whether it still runs."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def works(owner: dict[str, Any], folder: Path) -> bool:
    """Whether the process that a run's record names is still at it.

    It holds the run's lock as long as it is, and takes it away when it ends by itself. Whether it
    was killed is looked up on its own host, by number and start; from another host that can't be
    seen, so it is believed to run until a user who knows better takes the lock away.
    """
    return (folder / FILENAME).exists() and alive(owner)


def alive(owner: dict[str, Any]) -> bool:
    """Whether a process still runs; one on another host is believed to."""
    if owner.get("host") != socket.gethostname():
        return True
    pid = owner.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OverflowError:  # no process has such a number
        return False
    # The number may have been given to another process since: compare when that one started.
    return owner.get("started") is None or _started(pid) == owner["started"]


def _started(pid: int) -> str | None:
    """When a process started, in ticks since the machine did; None where that is not to be had."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    # One that has ended and is only waited for does nothing any more.
    return None if fields[0] in "ZX" else fields[19]


def where(owner: dict[str, Any]) -> str:
    """A process in words.

    Example:
        >>> where({"host": "node-1", "pid": 12})
        'process 12 on node-1'
    """
    return f"process {owner.get('pid', '?')} on {owner.get('host', 'an unknown host')}"


def way_out(owner: dict[str, Any], folder: Path) -> str:
    """What to do about a run that another process holds."""
    if owner.get("host") == socket.gethostname():
        return "wait for it, or end that process first"
    return f"wait for it; if it is gone, remove {folder / FILENAME} and try again"


def _refused(folder: Path, owner: dict[str, Any]) -> RunExists:
    return RunExists(
        f'run "{folder.name}" is being worked on by {where(owner)}; {way_out(owner, folder)}'
    )


def _put(path: Path, text: str, *, over: bool) -> None:
    """Write the lock whole; where it is not to replace one, only if there is none."""
    temporary = path.with_name(f".{FILENAME}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if over:
            temporary.replace(path)
        else:
            _link(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Give the file its name, unless a process of another host was faster."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise _refused(path.parent, read(path.parent) or {}) from None
    except (PermissionError, NotImplementedError):  # a file system without links
        temporary.replace(path)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let the processes of this host in one by one: a dead owner's lock must have one heir."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system that can't; then the order of arrival decides
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # and with it the lock on the folder
