"""Exact top-k search of embeddings in flat memory. Knows no labels, metrics or encoders."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nearer.errors import DataError, UsageError
from nearer.evaluation.candidates import Best
from nearer.evaluation.distances import Block, Distance, checked, known_distance, squared_norms
from nearer.evaluation.matching import Search, match

MEMORY_BUDGET = 1 << 30
"""Default bytes that a search may hold beside the embeddings and its answer."""

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
    device: str | None = None,
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
        device: Of torch, "cuda" say, for the matrix products; None for numpy. What is found is the
            same, bit for bit.

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
    best = Best(len(queries), depth)
    both = Block(queries, squared_norms(queries, "query"))
    what = Search(both, best, distance, exclude, memory_budget, device)
    done = Steps(len(queries), advance)
    for start, rows in _blocks(index):
        rows = checked(rows, "index")
        if rows.shape[1] != queries.shape[1]:
            raise DataError(
                f"queries have {queries.shape[1]} dimensions and the index has {rows.shape[1]}; "
                "both sides must be embedded in one space"
            )
        block = Block(rows, squared_norms(rows, "index", start), start)
        match(what, block, done)
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
