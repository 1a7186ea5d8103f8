"""The pairs that may still reach the top, and the best found so far. Multiplies no matrices."""

import numpy as np

from nearer.evaluation.crowded import filter_again
from nearer.evaluation.distances import Block, Distance, Estimate, scores_of_pairs

MERGE = 1 << 16
"""Pairs scored in float64 and merged at a time, at most."""


class Best:
    """The best rows of every query so far, by falling score, then rising row.

    Attributes:
        rows: Shape (queries, depth), int64; -1 where nothing is.
        scores: Shape (queries, depth), float64; -inf where nothing is.
    """

    def __init__(self, queries: int, depth: int) -> None:
        self.rows = np.full((queries, depth), -1, dtype=np.int64)
        self.scores = np.full((queries, depth), -np.inf)

    def last(self, queries: slice | np.ndarray) -> np.ndarray:
        """Score that a row must beat to get in; -inf while there is room."""
        return self.scores[queries, -1]

    def merge(self, queries: np.ndarray, rows: np.ndarray, scores: np.ndarray) -> None:
        """Take in new pairs; `queries` must be sorted. The order they come in is of no account."""
        if not len(queries):
            return
        touched = queries[np.r_[True, queries[1:] != queries[:-1]]]
        held = self.rows[touched] >= 0
        query = np.concatenate([np.repeat(touched, held.sum(axis=1)), queries])
        row = np.concatenate([self.rows[touched][held], rows])
        score = np.concatenate([self.scores[touched][held], scores])
        order = np.lexsort((row, -score, query))
        query = query[order]
        rank = rank_within(query)
        kept = rank < self.rows.shape[1]
        self.rows[query[kept], rank[kept]] = row[order[kept]]
        self.scores[query[kept], rank[kept]] = score[order[kept]]


def rank_within(groups: np.ndarray) -> np.ndarray:
    """Position of each element within its run of equal values.

    Example:
        >>> rank_within(np.array([3, 3, 7, 7, 7])).tolist()
        [0, 1, 0, 1, 2]
    """
    first = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]]) if len(groups) else groups
    lengths = np.diff(np.r_[first, len(groups)])
    ranks: np.ndarray = np.arange(len(groups)) - np.repeat(first, lengths)
    return ranks


class Candidates:
    """Pairs of one batch of queries with one block whose estimates passed the threshold.

    A pair is let go only when `depth` others are certain to be better: its estimate lies below
    theirs by more than twice the error bound, or below the best float64 scores by more than once.

    Args:
        distance: How pairs are scored.
        queries: The batch.
        block: The rows that are searched.
        estimate: How the two are estimated; its slack is what makes the filter safe.
        best: Holds the best of all queries; the batch is its rows from `queries.start` on.
        most: Pairs held at a time; more are scored in float64 and let go.
    """

    def __init__(
        self,
        distance: Distance,
        queries: Block,
        block: Block,
        estimate: Estimate,
        best: Best,
        most: int,
    ) -> None:
        self.distance, self.queries, self.block = distance, queries, block
        self.estimate, self.best, self.most = estimate, best, most
        self.depth = best.rows.shape[1]
        self.threshold = np.full(len(queries.rows), -np.inf, dtype=np.float32)
        self._held: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._count = self._settled = 0
        self._raise_to_best()

    @property
    def unseeded(self) -> bool:
        """Whether there are queries without a threshold."""
        return bool(np.isneginf(self.threshold).any())

    def seed(self, estimates: np.ndarray) -> None:
        """Set a first threshold from the estimates of some rows, before they are added.

        The k-th largest of the maxima of disjoint groups is no larger than the k-th largest of
        all, and takes one pass instead of a sort.
        """
        width = estimates.shape[1]
        groups = min(width, max(128, 1 << (4 * self.depth - 1).bit_length()))
        if self.depth > width or not self.unseeded:
            return
        even = estimates[:, : width // groups * groups]
        maxima = even.reshape(len(even), -1, groups).max(axis=1)
        kth = np.partition(maxima, groups - self.depth, axis=1)[:, groups - self.depth]
        self.seed_with(kth)

    def seed_with(self, kth: np.ndarray) -> None:
        """Set a first threshold where `depth` estimates of each query are at least `kth`."""
        self._raise(kth - 2 * self.estimate.slack)

    def add(self, estimates: np.ndarray, passed: np.ndarray, low: int) -> None:
        """Take in the pairs that passed.

        Args:
            estimates: Shape (queries, width), float32.
            passed: Shape (queries, width): estimates above the threshold; may be overwritten.
            low: Where these rows begin in the block.
        """
        flat = np.flatnonzero(passed)
        if self.crowded(len(flat), passed.size):
            del flat
            self.add_crowded(passed, low)
            return
        query, column = np.divmod(flat, passed.shape[1])
        self.hold(query, column + low, estimates.reshape(-1)[flat])

    def crowded(self, passed: int, pairs: int) -> bool:
        """Whether so many pairs passed that the embeddings have collapsed, or nearly."""
        return passed > min(self.most, max(pairs // 8, len(self.threshold) * self.depth))

    def add_crowded(self, passed: np.ndarray, low: int, first: int = 0) -> None:
        """Take in pairs of which next to none were ruled out.

        Args:
            passed: Shape (n, width); is overwritten.
            low: Where these rows begin in the block.
            first: Where these queries begin in the batch.
        """
        self.settle()  # what came before has to be in first: rows come in rising order
        start, end = self.queries.start + first, self.queries.start + first + len(passed)
        inside = slice(first, first + len(passed))
        part = Block(self.queries.rows[inside], self.queries.squares[inside], start)

        def last() -> np.ndarray:
            return self.best.last(slice(start, end))

        pairs = filter_again(self.distance, part, self.block, passed, low, self.depth, last)
        for query, column in pairs:
            self._score(query + first, column)
        self._raise_to_best()

    def hold(self, query: np.ndarray, column: np.ndarray, value: np.ndarray) -> None:
        """Keep pairs, and settle the score of some where they become many.

        Args:
            query: Shape (n,), counted from the beginning of the batch.
            column: Shape (n,), counted from the beginning of the block.
            value: Shape (n,), float32 estimates.
        """
        if not len(query):
            return
        self._held.append((query, column, value))
        self._count += len(query)
        if self._count > self._settled * 3 // 2 + len(self.threshold) * self.depth // 2:
            self.compact()
        if self._count > self.most:
            self.settle()

    def compact(self) -> None:
        """Raise the threshold to what the held pairs allow and drop those below it."""
        query, column, value = self._take()
        # One sort of integers does for (query, value): order-preserving bits of the float below.
        bits = value.view(np.uint32)
        bits = np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))
        keys = np.sort(query.astype(np.uint64) << np.uint64(32) | ~bits)
        first = np.searchsorted(keys, np.arange(len(self.threshold), dtype=np.uint64) << 32)
        enough = np.diff(np.r_[first, len(keys)]) >= self.depth
        kth = ~(keys[first[enough] + self.depth - 1] & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        kth = np.where(kth >> 31, kth & np.uint32(0x7FFFFFFF), ~kth).view(np.float32)
        lower = np.full(len(self.threshold), -np.inf)
        lower[enough] = kth - 2 * self.estimate.slack[enough]
        self._raise(lower)
        kept = value > self.threshold[query]
        self._held = [(query[kept], column[kept], value[kept])]
        self._count = self._settled = int(kept.sum())

    def finish(self) -> None:
        """Settle what is left; the block is done."""
        if self._count:
            self.compact()
            self.settle()

    def settle(self) -> None:
        """Score what is held in float64, merge it into the best and hold nothing."""
        if not self._count:
            return
        query, column, _ = self._take()
        order = np.argsort(query, kind="stable")
        self._score(query[order], column[order])
        self._raise_to_best()

    def _score(self, query: np.ndarray, column: np.ndarray) -> None:
        """Score pairs in float64 and merge them into the best."""
        start = self.queries.start
        step = min(MERGE, self.most)
        for low in range(0, len(query), step):
            q, x = query[low : low + step], column[low : low + step]
            scores = scores_of_pairs(self.distance, self.queries, self.block, q, x)
            # Rows come in rising order, so one that only equals the last of the best has lost.
            wins = scores > self.best.last(q + start)
            self.best.merge(q[wins] + start, x[wins] + self.block.start, scores[wins])

    def _take(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        query, column, value = (np.concatenate(parts) for parts in zip(*self._held, strict=True))
        self._held, self._count, self._settled = [], 0, 0
        return query, column, value

    def _raise_to_best(self) -> None:
        start = self.queries.start
        last = self.best.last(slice(start, start + len(self.threshold)))
        lower = np.full(len(last), -np.inf)
        full = np.isfinite(last)
        lower[full] = self.estimate.to_estimate(np.where(full, last, 0.0))[full]
        self._raise(lower - self.estimate.slack)

    def _raise(self, lower: np.ndarray) -> None:
        """Raise the threshold; a pair passes above it, so it is rounded down and never up."""
        with np.errstate(over="ignore"):
            down = np.nextafter(lower.astype(np.float32), np.float32(-np.inf))
        np.maximum(self.threshold, down, out=self.threshold)
