"""Writing whole or not at all: temp beside, fsync, rename. Knows nothing of what is written."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def write_text(path: Path, text: str) -> None:
    """Replace a file; a reader sees the old text or the new one, never a part."""
    with new_file(path) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Fill a file beside `path`; it takes its place when the block ends without an error."""
    temporary = _beside(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_name(path)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder beside `path`; it takes its place when the block ends without an error.

    A folder that was there before stays until the new one is complete. Where the block fails,
    nothing is left of the new one.
    """
    temporary = _beside(path)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.rglob("*"):
            _sync(file)
        _sync(temporary)
        old = _beside(path)
        if path.exists():
            path.rename(old)
        try:
            temporary.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync_name(path)
    shutil.rmtree(old, ignore_errors=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


def _sync_name(path: Path) -> None:
    """Make a rename last through a power cut, where the disk can.

    By now the new one stands whole in its place, so this failing fails nothing: an error would say
    of a file that is there that it is not. Only a power cut right then may undo the rename.
    """
    with suppress(OSError):
        _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
