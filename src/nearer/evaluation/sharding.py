"""An evaluation that several processes share: who embeds and searches what, and how it is merged.

Knows no torch.distributed; whoever runs the processes gives them as `Processes`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.evaluation.search import Blocks, Neighbours, merge

FIXED, MOST = 20, 2_000
"""Bytes that an item costs beside its text, and beyond which a text is cut anyway."""


class Processes(Protocol):
    """The processes that share an evaluation; each of them calls the same methods in one order."""

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""

    @property
    def size(self) -> int:
        """How many there are."""

    def cut(self) -> bool:
        """Whether this process need not finish what it does alone, as all are about to end."""

    def obey(self) -> None:
        """Raise in all processes if any of them wants to end."""

    def arrays(self, array: np.ndarray) -> list[np.ndarray]:
        """The arrays of all processes, in order of their ranks."""


class Alone:
    """One process, to which all of this does nothing."""

    rank, size = 0, 1

    def cut(self) -> bool:
        """Never: progress itself obeys a signal."""
        return False

    def obey(self) -> None:
        """Go on."""

    def arrays(self, array: np.ndarray) -> list[np.ndarray]:
        """What there is."""
        return [array]


class _Cut(BaseException):
    """This process wants to end; caught where all of them agree on it."""


def bounds(costs: np.ndarray, size: int) -> np.ndarray:
    """Cut rows into consecutive parts of about the same cost.

    Args:
        costs: Shape (rows,), above 0.
        size: How many parts.

    Returns:
        Shape (size + 1,): part i is `[bounds[i], bounds[i + 1])`, and may be empty.

    Example:
        >>> bounds(np.array([5, 1, 1, 1, 1, 1]), 2).tolist()
        [0, 1, 6]
    """
    ends = np.cumsum(costs)
    total = ends[-1] if len(ends) else 0
    # A row goes where its middle lies.
    cuts = np.searchsorted(ends - costs / 2, np.arange(1, size) * total / size)
    return np.concatenate([[0], cuts, [len(costs)]])


def text_costs(items: pa.ChunkedArray) -> np.ndarray:
    """About what it costs to embed each text: its length in bytes, within bounds."""
    lengths = pc.binary_length(items).to_numpy()
    costs: np.ndarray = FIXED + np.minimum(lengths, MOST)
    return costs


class Shard:
    """The part of an evaluation that this process does; all of it where it is alone."""

    def __init__(self, processes: Processes | None) -> None:
        self.processes = processes or Alone()

    def part(self, items: pa.ChunkedArray, pictures: bool) -> tuple[int, int]:
        """First row, and the row after the last, of this process's part of some items."""
        rank, size = self.processes.rank, self.processes.size
        if size == 1:
            return 0, len(items)
        costs = np.ones(len(items)) if pictures else text_costs(items)
        ends = bounds(costs, size)
        return int(ends[rank]), int(ends[rank + 1])

    def advancing(self, advance: Callable[[int], None]) -> Callable[[int], None]:
        """Progress that ends this process's own work as soon as it need not be finished."""

        def advance_or_cut(done: int) -> None:
            advance(done)
            if self.processes.cut():
                raise _Cut

        return advance_or_cut

    @contextmanager
    def obedient(self) -> Iterator[None]:
        """Work of this process alone, which may be cut short; then all of them end."""
        try:
            yield
        except _Cut:
            self.processes.obey()
            raise

    def together(self, rows: np.ndarray | None) -> np.ndarray:
        """The embeddings of all processes, one part after the other; None for an empty part."""
        self.processes.obey()
        if self.processes.size == 1:
            assert rows is not None
            return rows
        parts = self.processes.arrays(np.zeros((0, 0), np.float32) if rows is None else rows)
        return np.concatenate([part for part in parts if len(part)])

    def total(self, *counts: int) -> list[int]:
        """Counts summed over all processes."""
        parts = self.processes.arrays(np.array(counts, np.int64))
        summed: list[int] = np.sum(parts, axis=0).tolist()
        return summed

    def merge(self, found: Neighbours, depth: int) -> Neighbours:
        """Merge what all processes found in their parts of the index; the order is exact."""
        self.processes.obey()
        if self.processes.size == 1:
            return found
        rows, scores = self.processes.arrays(found.rows), self.processes.arrays(found.scores)
        return merge([Neighbours(*both) for both in zip(rows, scores, strict=True)], depth)


def shifted(blocks: Blocks, by: int) -> Blocks:
    """The same blocks, with their rows numbered from another one on."""
    return ((start + by, rows) for start, rows in blocks)
