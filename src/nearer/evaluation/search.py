"""Exact top-k search of embeddings in flat memory. Knows no labels, metrics or encoders."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nearer.errors import DataError, UsageError
from nearer.evaluation.candidates import Best, Candidates
from nearer.evaluation.distances import (
    Block,
    Distance,
    checked,
    estimate,
    known_distance,
    squared_norms,
)

MEMORY_BUDGET = 1 << 30
"""Default bytes that a search may hold beside the embeddings and its answer."""

BATCH, WIDTH = 1024, 4096
"""Queries and index rows multiplied at a time where the budget allows (docs/benchmarks.md)."""

Blocks = Iterable[tuple[int, np.ndarray]]
"""An index that comes piece by piece, in order: number of the first row, rows."""


@dataclass(frozen=True)
class Neighbours:
    """The top of the ranking of every query.

    Attributes:
        rows: Shape (queries, depth), int64: index rows, nearest first; -1 where there are no more.
        scores: Shape (queries, depth), float64, higher is nearer; -inf where there are no more.
    """

    rows: np.ndarray
    scores: np.ndarray


def search(
    queries: np.ndarray,
    index: np.ndarray | Blocks,
    depth: int,
    distance: Distance = "cosine",
    exclude: np.ndarray | None = None,
    memory_budget: int = MEMORY_BUDGET,
    advance: Callable[[int], None] | None = None,
) -> Neighbours:
    """Find the nearest index rows of every query, exactly.

    The order is by float64 score, falling, then by row, rising. It is the same whatever the budget,
    the blocks and the number of threads: float32 matrix products only rule out rows that their
    error bound allows to rule out, and what is left is scored again in float64, pair by pair.

    Args:
        queries: Shape (n, dimension), float32 (other types are converted to it).
        index: Shape (m, dimension), or an iterable of `(first row, rows)` in order; a block is
            searched and let go before the next one is asked for.
        depth: How many to find for a query, at least 1; there may be fewer rows than that.
        distance: "cosine" (0 for a row of zeros), "dot" or "euclidean" (the score is the negative
            distance).
        exclude: Shape (n,): an index row that each query never finds, itself say; -1 for none.
        memory_budget: Bytes held beside the embeddings and the answer, about.
        advance: Called with the number of index rows matched since the last call.

    Raises:
        DataError: Embeddings that are not finite, or whose dimensions differ.
        UnknownName: There is no such distance.
        UsageError: A depth below 1.

    Example:
        >>> vectors = np.eye(3, dtype=np.float32)
        >>> search(vectors[:1], vectors, depth=2).rows.tolist()
        [[0, 1]]
    """
    if depth < 1:
        raise UsageError(f"a search finds at least one row; depth is {depth}")
    known_distance(distance)
    queries = checked(queries, "query")
    squares = squared_norms(queries, "query")
    best = Best(len(queries), depth)
    done = Steps(len(queries), advance)
    for start, rows in _blocks(index):
        rows = checked(rows, "index")
        if rows.shape[1] != queries.shape[1]:
            raise DataError(
                f"queries have {queries.shape[1]} dimensions and the index has {rows.shape[1]}; "
                "both sides must be embedded in one space"
            )
        block = Block(rows, squared_norms(rows, "index", start), start)
        batch, width, most = _sizes(depth, len(rows), memory_budget)
        for low in range(0, len(queries), batch):
            part = Block(queries[low : low + batch], squares[low : low + batch], low)
            own = None if exclude is None else exclude[low : low + batch]
            _match(part, block, distance, best, own, width, most, done)
    return Neighbours(best.rows, best.scores)


def merge(parts: Sequence[Neighbours], depth: int) -> Neighbours:
    """Merge what several searches found for the same queries in disjoint parts of one index.

    Args:
        parts: Rows are numbered in the whole index.
        depth: How many to keep.
    """
    rows = np.concatenate([part.rows for part in parts], axis=1)
    scores = np.concatenate([part.scores for part in parts], axis=1)
    best = Best(len(rows), depth)
    query, column = np.nonzero(rows >= 0)
    best.merge(query, rows[query, column], scores[query, column])
    return Neighbours(best.rows, best.scores)


def _match(
    queries: Block,
    block: Block,
    distance: Distance,
    best: Best,
    own: np.ndarray | None,
    width: int,
    most: int,
    done: "Steps",
) -> None:
    """Search one block for one batch of queries."""
    how = estimate(distance, queries, block)
    candidates = Candidates(distance, queries, block, how, best, most)
    size = len(queries.rows)
    buffer = np.empty(size * min(width, len(block.rows)), dtype=np.float32)
    mask = np.empty(buffer.shape, dtype=bool)
    for low in range(0, len(block.rows), width):
        high = min(low + width, len(block.rows))
        estimates = buffer[: size * (high - low)].reshape(size, -1)
        passed = mask[: estimates.size].reshape(size, -1)
        np.matmul(how.left, how.right(block, low, high).T, out=estimates)
        if how.offset is not None:
            estimates -= how.offset[low:high]
        if own is not None:
            here = np.flatnonzero((own >= block.start + low) & (own < block.start + high))
            estimates[here, own[here] - block.start - low] = -np.inf
        candidates.seed(estimates)
        np.greater(estimates, candidates.threshold[:, None], out=passed)
        candidates.add(estimates, passed, low)
        done(size * (high - low))
    candidates.finish()


def _sizes(depth: int, rows: int, budget: int) -> tuple[int, int, int]:
    """Queries and rows multiplied at a time, and most pairs held."""
    area = max(1, budget // 64)  # an estimate, its mask and what passes: 32 bytes, half of it
    width = int(min(WIDTH, max(64, 2 * math.isqrt(area))))
    found = min(depth, max(rows, 1))
    batch = int(max(1, min(BATCH, area // width, budget // (1024 * found))))
    return batch, width, max(1 << 12, min(4 * batch * found + (1 << 18), budget // 256))


def _blocks(index: np.ndarray | Blocks) -> Iterator[tuple[int, np.ndarray]]:
    """See an array as one block; hold that blocks come in order, which the ranking of ties uses."""
    if isinstance(index, np.ndarray):
        yield 0, index
        return
    expected = 0
    for start, rows in index:
        if start < expected:
            raise UsageError(f"index blocks must come in order; got row {start} after {expected}")
        expected = start + len(rows)
        yield start, rows


class Steps:
    """Turns pairs done into index rows done, so that progress is smooth over several batches."""

    def __init__(self, queries: int, advance: Callable[[int], None] | None) -> None:
        self.queries, self.advance = max(1, queries), advance
        self.pairs = 0

    def __call__(self, pairs: int) -> None:
        """Count pairs that are done."""
        before = self.pairs // self.queries
        self.pairs += pairs
        if self.advance is not None and self.pairs // self.queries > before:
            self.advance(self.pairs // self.queries - before)
