"""Multiplies a block of the index with all queries, on all cores, in tiles. Ranks nothing."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nearer.evaluation.candidates import Best, Candidates
from nearer.evaluation.distances import Block, Distance, estimate
from nearer.evaluation.on_device import match_on_device
from nearer.evaluation.threads import on_threads, threads

BATCH, WIDTH = 512, 4096
"""Queries and index rows multiplied at a time where the budget allows (docs/benchmarks.md)."""

FEWEST = 32
"""Queries below which another thread is not worth its start."""

LEAST = 1 << 24
"""Bytes of the budget below which another thread's own buffers would not fit."""


@dataclass(frozen=True)
class Search:
    """What every block is matched for.

    Attributes:
        queries: All of them.
        best: Takes what is found.
        distance: How pairs are scored.
        exclude: Shape (queries,): an index row that each query never finds, or None.
        budget: Bytes held beside the embeddings and the answer, about.
        device: Of torch, where the products are made; None for numpy.
    """

    queries: Block
    best: Best
    distance: Distance
    exclude: np.ndarray | None
    budget: int
    device: str | None = None

    def part(self, low: int, high: int) -> Block:
        """Some of the queries."""
        rows, squares = self.queries.rows[low:high], self.queries.squares[low:high]
        return Block(rows, squares, low)


def match(search: Search, block: Block, done: Callable[[int], None]) -> None:
    """Find what a block adds to the best of every query.

    Batches of queries run on as many threads as the matrix product would use, each with products
    on a single thread: so the filter, which numpy runs on one core, runs on all of them.

    Args:
        search: What is searched for.
        block: Consecutive rows of the index.
        done: Called with the number of pairs matched since the last call.
    """
    queries = len(search.queries.rows)
    depth = search.best.rows.shape[1]
    if search.device is not None:
        most = sizes(BATCH, len(block.rows), depth, 1, search.budget)[2]
        match_on_device(search, block, most, search.device, done)
        return
    workers = max(1, min(threads(), queries // FEWEST, search.budget // LEAST))
    batch, width, most = sizes(queries, len(block.rows), depth, workers, search.budget)

    def one(low: int, done: Callable[[int], None]) -> None:
        high = min(low + batch, queries)
        _match_batch(search, search.part(low, high), block, width, most, done)

    on_threads(one, range(0, queries, batch), workers, done)


def sizes(queries: int, rows: int, depth: int, workers: int, budget: int) -> tuple[int, int, int]:
    """Queries and rows multiplied at a time by each thread, and most pairs that it holds."""
    budget //= workers
    area = max(1, budget // 64)  # an estimate, its mask and what passes: 32 bytes, half of it
    found = min(depth, max(rows, 1))
    batch = max(
        1, min(BATCH, area // min(WIDTH, max(64, math.isqrt(area))), budget // 1024 // found)
    )
    batches = math.ceil(math.ceil(max(1, queries) / batch) / workers) * workers
    batch = math.ceil(max(1, queries) / batches)
    tile = min(area, BATCH * WIDTH)
    width = max(64, min(tile // batch, 8 * WIDTH))
    return batch, width, max(1 << 12, min(4 * batch * found + (1 << 18), budget // 256))


def _match_batch(
    search: Search,
    queries: Block,
    block: Block,
    width: int,
    most: int,
    done: Callable[[int], None],
) -> None:
    """Match one batch of queries with a block, a tile at a time that stays in the cache."""
    how = estimate(search.distance, queries, block)
    candidates = Candidates(search.distance, queries, block, how, search.best, most)
    size = len(queries.rows)
    own = None if search.exclude is None else search.exclude[queries.start : queries.start + size]
    buffer = np.empty(size * min(width, len(block.rows)), dtype=np.float32)
    mask = np.empty(buffer.shape, dtype=bool)
    for low in range(0, len(block.rows), width):
        high = min(low + width, len(block.rows))
        estimates = buffer[: size * (high - low)].reshape(size, -1)
        passed = mask[: estimates.size].reshape(size, -1)
        np.matmul(how.left, how.right(block, low, high).T, out=estimates)
        if how.factor is not None:
            estimates *= how.factor[low:high]
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
