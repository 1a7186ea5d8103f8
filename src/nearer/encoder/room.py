"""Room in the cache: what lies in it, how large it is, and what has to go. Writes nothing."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ABOUT = "about.json"
"""In a folder that is kept or goes as a whole; its time says when it was last asked for."""

ABANDONED = 24 * 3600
"""Seconds after which an unfinished folder is taken for that of a process that was killed."""


@dataclass(frozen=True)
class Unit:
    """What goes as a whole: a file of embeddings, or a folder.

    Attributes:
        path: Where it lies.
        size: Bytes.
        used: When it was last asked for, seconds since 1970.
    """

    path: Path
    size: int
    used: float


def make_room(folder: Path, size: int, limit: int) -> None:
    """Remove what was not asked for longest, until `size` more bytes are within the limit."""
    units = sorted(_units(folder), key=lambda unit: unit.used)
    over = sum(unit.size for unit in units) + size - limit
    for unit in units:
        if over <= 0:
            break
        _remove(unit.path)
        over -= unit.size


def size_of(folder: Path) -> int:
    """Bytes of the files of a folder."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # another process made room
            total += path.stat().st_size if path.is_file() else 0
    return total


def _units(folder: Path) -> Iterator[Unit]:
    for path in folder.glob("*/*"):
        with suppress(OSError):
            if path.name.endswith(".tmp"):
                if time.time() - path.stat().st_mtime > ABANDONED:
                    shutil.rmtree(path, ignore_errors=True)
            elif (path / ABOUT).is_file():
                yield Unit(path, size_of(path), (path / ABOUT).stat().st_mtime)
            elif path.is_dir():
                yield from _files(path)


def _files(folder: Path) -> Iterator[Unit]:
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            stat = path.stat()
            yield Unit(path, stat.st_size, stat.st_mtime)


def _remove(path: Path) -> None:
    if path.is_dir():
        with suppress(OSError):  # first of all what says that it is whole
            os.unlink(path / ABOUT)
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink(missing_ok=True)
        path.parent.rmdir()  # if it was the last one
