"""Tensors kept by key, within a size limit: memory first, then a file. Computes nothing."""

import logging
import mmap
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nearer.encoder.sizes import in_words

IN_MEMORY = 2 << 30
"""Bytes kept in memory; what is beyond goes to a file, of which the system caches what it can."""

BLOCK = 64 << 20
"""Bytes reserved at a time."""

ENTRY = 256
"""Bytes that an entry costs beside its numbers, about."""

LOGGER = logging.getLogger("nearer")


class States:
    """What a frozen part made of each item, kept bit for bit as it was computed.

    Those that come first stay. Throwing the oldest out would, in a training that goes through all
    items again and again, throw each one out just before it is wanted.

    The file has no name: it is gone when the process is, however that ended.

    Args:
        limit: Bytes in all, in memory and in the file.
        folder: Where the file is; None: the system's folder for temporary files.
        in_memory: Bytes of them in memory.
        block: Bytes reserved at a time.

    Example:
        >>> states = States(1 << 20)
        >>> states.add(b"red shoes", torch.ones(3, 8))
        >>> b"red shoes" in states, states.length(b"red shoes"), b"rain" in states
        (True, 3, False)
    """

    def __init__(
        self,
        limit: int,
        folder: Path | None = None,
        in_memory: int = IN_MEMORY,
        block: int = BLOCK,
    ) -> None:
        self._limit, self._folder, self._in_memory, self._block = limit, folder, in_memory, block
        self._blocks: list[np.ndarray] = []
        self._reserved = self._filled = self._free = 0
        self._places: dict[bytes, tuple[int, int, torch.dtype, tuple[int, ...]]] = {}
        self._full = False

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def length(self, key: bytes) -> int:
        """Tokens of an item that is kept; 1 where its state is a vector."""
        shape = self._places[key][3]
        return shape[0] if len(shape) > 1 else 1

    def get(self, key: bytes) -> Tensor:
        """A copy of the state of an item that is kept, on the CPU.

        Raises:
            KeyError: It is not kept.
        """
        block, start, dtype, shape = self._places[key]
        size = dtype.itemsize * int(np.prod(shape))
        kept = self._blocks[block][start : start + size].copy()
        return torch.from_numpy(kept).view(dtype).view(shape)

    def add(self, key: bytes, state: Tensor) -> None:
        """Keep a state, if there is room and none is kept under its key."""
        if self._full or key in self._places:
            return
        flat = state.detach().to("cpu").contiguous().view(-1).view(torch.uint8).numpy()
        if not self._make_room(flat.nbytes):
            return
        start = self._blocks[-1].nbytes - self._free
        self._blocks[-1][start : start + flat.nbytes] = flat
        self._free -= flat.nbytes
        self._filled += flat.nbytes + ENTRY
        # Last, so that another thread finds a key only when its state is there.
        place = (len(self._blocks) - 1, start, state.dtype, tuple(state.shape))
        self._places[key] = place

    def _make_room(self, size: int) -> bool:
        left = self._limit - self._filled
        reserve = min(max(self._block, size), self._limit - self._reserved)
        if size + ENTRY > left or (size > self._free and size > reserve):
            return self._no_more(f"frozen_cache ({in_words(self._limit)}) is full")
        if size <= self._free:
            return True
        try:
            if self._reserved + reserve <= self._in_memory:
                block = np.empty(reserve, dtype=np.uint8)
            else:
                block = np.frombuffer(_mapped(reserve, self._folder), dtype=np.uint8)
        except (OSError, MemoryError) as error:
            return self._no_more(f"there is no room for more of frozen_cache ({error})")
        self._blocks.append(block)
        self._reserved += reserve
        self._free = reserve
        return True

    def _no_more(self, why: str) -> bool:
        self._full = True
        LOGGER.warning(
            "%s: it holds %s items, the frozen part is computed for the others each time",
            why,
            f"{len(self):,}",
        )
        return False


def _mapped(size: int, folder: Path | None) -> mmap.mmap:
    """A file without a name, mapped into memory; its place on the disk is reserved beforehand."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            # A full disk shows here; writing to a mapped page of one would end the process.
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        return mmap.mmap(file.fileno(), size)
