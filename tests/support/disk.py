"""A disk that fails at a chosen write: calls that change a folder are counted, in this process.

Counted are opening for writing, each write that reaches the system, fsync, rename, replace, link
and mkdir; and safetensors, which writes by itself and is made to leave half a file.
Not counted is what other libraries write past Python: tokenizer.json, of which only the fsync is.
"""

import builtins
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from safetensors import SafetensorError


@dataclass
class Disk:
    """Counts the calls below a folder, and fails at some of them.

    Attributes:
        root: Calls elsewhere are not counted.
        fail_at: Number of the call that fails, from 1; None for none.
        stays: Whether all calls after it fail as well: the disk is full and stays full.
        error: What the system says, an errno.
        calls: What was called, in order: (name, path in the root).
    """

    root: Path
    fail_at: int | None = None
    stays: bool = False
    error: int = 28
    calls: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def count(self, name: str, path: Any) -> bool:
        """Note a call; whether it is one that fails."""
        where = str(path)
        if not where.startswith(str(self.root)):
            return False
        self.calls.append((name, os.path.relpath(where, self.root)))
        number, at = len(self.calls), self.fail_at
        fails = at is not None and (number == at or (self.stays and number > at))
        if fails:
            self.failed.append(self.calls[-1])
        return fails

    def check(self, name: str, path: Any) -> None:
        """Note a call, and fail if it is its turn."""
        if self.count(name, path):
            raise OSError(self.error, os.strerror(self.error), str(path))


class _Raw(io.FileIO):
    """An open file whose every write is counted."""

    def __init__(self, disk: Disk, path: Any, mode: str) -> None:
        super().__init__(path, mode)
        self._disk = disk

    def write(self, data: Any) -> int:
        """Write half of it where this write fails, as a disk does that has room for no more."""
        if self._disk.count("write", self.name):
            super().write(bytes(data)[: len(bytes(data)) // 2])
            raise OSError(self._disk.error, os.strerror(self._disk.error))
        return super().write(data)


@contextmanager
def failing_disk(disk: Disk) -> Iterator[Disk]:
    """Let a disk count, and fail, within this context."""
    real_open, real_os_open, real_fsync = io.open, os.open, os.fsync
    real_serialize = safetensors.torch.serialize_file

    def opened(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
        inside = isinstance(file, str | os.PathLike) and str(file).startswith(str(disk.root))
        if not inside or not set(mode) & set("wax+"):
            return real_open(file, mode, buffering, *rest, **named)
        disk.check("open", file)
        raw = _Raw(disk, os.fspath(file), mode.replace("b", "").replace("t", ""))
        if "b" in mode:
            return raw if buffering == 0 else io.BufferedWriter(raw)
        return io.TextIOWrapper(io.BufferedWriter(raw), *rest, **named)

    def fsync(descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        disk.check("fsync", os.readlink(f"/proc/self/fd/{number}"))
        real_fsync(number)

    def os_open(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            disk.check("open", path)
        return real_os_open(path, flags, *rest, **named)

    def to(name: str, real: Any) -> Any:
        def call(source: Any, target: Any, **named: Any) -> Any:
            disk.check(name, target)
            return real(source, target, **named)

        return call

    def mkdir(path: Any, *rest: Any, **named: Any) -> None:
        disk.check("mkdir", path)
        real_mkdir(path, *rest, **named)

    def serialize(tensors: Any, filename: Any, *rest: Any, **named: Any) -> None:
        if disk.count("write", filename):
            Path(filename).touch()
            os.truncate(filename, 7)
            raise SafetensorError(f"I/O error: {os.strerror(disk.error)} (os error {disk.error})")
        real_serialize(tensors, filename, *rest, **named)

    real_mkdir = os.mkdir
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "open", opened)
        patch.setattr(io, "open", opened)
        patch.setattr(os, "open", os_open)
        patch.setattr(os, "fsync", fsync)
        patch.setattr(os, "mkdir", mkdir)
        for name in ("rename", "replace", "link"):
            patch.setattr(os, name, to(name, getattr(os, name)))
        patch.setattr(safetensors.torch, "serialize_file", serialize)
        yield disk
