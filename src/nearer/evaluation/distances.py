"""The three distances: float64 scores, and a float32 estimate with its error bound. No search."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from nearer.errors import DataError, UnknownName, did_you_mean
from nearer.evaluation.threads import on_threads, threads

Distance = Literal["cosine", "dot", "euclidean"]
"""How near two embeddings are; of every one, a higher score is better."""

CACHE_BYTES = 1 << 20
"""Float64 temporaries stay about this small, so that they stay in the processor's cache."""

MANY = 16
"""Pieces of CACHE_BYTES that a thread takes at a time."""

SAFE = (1e-10, 1e10)
"""Norms in here can be multiplied in float32 without coming near its limits."""

UNIT = 1e-6
"""Rows whose norms are this close to 1 are searched as they are, without a normalised copy."""


def known_distance(name: str) -> Distance:
    """Check the name of a distance.

    Raises:
        UnknownName: There is none of that name.
    """
    names = get_args(Distance)
    if name not in names:
        raise UnknownName(
            f'there is no distance "{name}"; choose one of {", ".join(names)}.'
            + did_you_mean(name, names)
        )
    return name  # type: ignore[return-value]


def checked(rows: np.ndarray, what: str) -> np.ndarray:
    """Take embeddings as float32, shape (n, dimension).

    Raises:
        DataError: They are not a matrix of numbers.
    """
    array = np.asarray(rows)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise DataError(
            f"{what} embeddings must be a matrix of numbers, one row for each item; got shape "
            f"{array.shape}, dtype {array.dtype}"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold is reported as an infinity
        return np.asarray(array, dtype=np.float32)


def squared_norms(rows: np.ndarray, what: str = "index", start: int = 0) -> np.ndarray:
    """Squared length of every row in float64, shape (n,); finds NaN and infinities on the way.

    Args:
        rows: Shape (n, dimension), float32.
        what: Whose embeddings they are, for the message.
        start: Number of the first row, for the message.

    Raises:
        DataError: Rows that hold NaN or an infinity; counts them and names the first.
    """
    step = max(1, CACHE_BYTES // (8 * max(1, rows.shape[1])))
    out = np.empty(len(rows))

    def some(first: int, done: Callable[[int], None]) -> None:
        for low in range(first, min(first + MANY * step, len(rows)), step):
            out[low : low + step] = row_dots(rows[low : low + step].astype(np.float64))

    firsts = range(0, len(rows), MANY * step)
    on_threads(some, firsts, min(threads(), len(firsts)) or 1, lambda done: None)
    bad = np.flatnonzero(~np.isfinite(out))
    if len(bad):
        raise DataError(
            f"{len(bad)} of {len(rows)} {what} embeddings hold NaN or an infinity, the first is "
            f"row {start + int(bad[0])}; the model diverged, or that row could not be embedded"
        )
    return out


def row_dots(left: np.ndarray, right: np.ndarray | None = None) -> np.ndarray:
    """Dot products row by row; overwrites `left`.

    numpy adds up each contiguous row by itself, in an order that depends on its length only. A
    matrix product would add in an order that depends on the shapes.
    """
    left *= left if right is None else right
    total: np.ndarray = left.sum(axis=1)
    return total


@dataclass(frozen=True)
class Block:
    """Consecutive rows of one side, with what the search has to know of them.

    Attributes:
        rows: Shape (n, dimension), float32.
        squares: Shape (n,), squared norms in float64.
        start: Number of its first row.
    """

    rows: np.ndarray
    squares: np.ndarray
    start: int = 0

    @property
    def longest(self) -> float:
        """The largest norm of a row."""
        return float(np.sqrt(self.squares.max(initial=0.0)))


def scores_of_pairs(
    distance: Distance, queries: Block, index: Block, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Score pairs of rows in float64: a pair's score depends on its two rows and nothing else.

    Args:
        distance: "cosine" is 0 where a row is all zeros; "euclidean" is the negative distance.
        queries: The query side.
        index: The index side.
        left: Shape (n,), query rows, counted from the beginning of `queries`.
        right: Shape (n,), index rows, counted from the beginning of `index`.

    Returns:
        Shape (n,), float64.
    """
    step = max(1, CACHE_BYTES // (8 * max(1, index.rows.shape[1])))
    out = np.empty(len(left))
    for low in range(0, len(left), step):
        q, x = left[low : low + step], right[low : low + step]
        pairs = np.take(index.rows, x, axis=0).astype(np.float64)
        others = np.take(queries.rows, q, axis=0)
        if distance == "euclidean":
            pairs -= others
            out[low : low + step] = -np.sqrt(row_dots(pairs))
            continue
        scores = row_dots(pairs, others)
        if distance == "cosine":
            lengths = np.sqrt(queries.squares[q] * index.squares[x])
            scores = np.divide(scores, lengths, out=np.zeros(len(q)), where=lengths > 0)
        out[low : low + step] = scores
    return out


@dataclass(frozen=True)
class Estimate:
    """How a batch of queries is scored against a block in float32, and how wrong that can be.

    The estimate of a pair is `left @ right.T * factor - offset`. Within a query it falls as the
    score falls, and differs from `to_estimate(score)` by `slack` at most.

    Attributes:
        left: Shape (queries, dimension), float32, scaled.
        slack: Shape (queries,), bound of the error.
        to_estimate: Takes scores of shape (queries,) to the scale of the estimates.
        factor: Shape (n,), float32, what products with the block's rows are multiplied by.
        offset: Shape (n,), float32, what is taken off then.
        shrink: Shape (n,), float64, what rows whose products would leave the range of float32
            are multiplied by before.
    """

    left: np.ndarray
    slack: np.ndarray
    to_estimate: Callable[[np.ndarray], np.ndarray]
    factor: np.ndarray | None = None
    offset: np.ndarray | None = None
    shrink: np.ndarray | None = None

    def right(self, block: Block, low: int, high: int) -> np.ndarray:
        """Rows of the block as the estimate multiplies them, shape (high - low, dimension)."""
        rows = block.rows[low:high]
        if self.shrink is None:
            return rows
        return np.asarray(rows * self.shrink[low:high, None], dtype=np.float32)


def estimate(distance: Distance, queries: Block, index: Block) -> Estimate:
    """Prepare float32 scoring of some queries against a block.

    The bound is the standard one for a sum of n products in any order, with or without fused
    multiply-add: |error| <= n u / (1 - n u) * |x| |y|, u = 2^-24 (Higham, "Accuracy and Stability
    of Numerical Algorithms", 2nd ed., section 3.1), with eight more roundings for the scaling.
    """
    lengths = np.sqrt(queries.squares)
    dimension = queries.rows.shape[1]
    unit = 1.02 * (dimension + 8) * 2.0**-24
    tiny = dimension * 2.0**-110  # products that float32 flushes to zero
    longest = index.longest
    if distance == "euclidean":
        return _euclidean(queries, index, unit, tiny)
    safe = np.where(lengths > 0, lengths, 1.0)
    left = (queries.rows / safe[:, None]).astype(np.float32)
    if distance == "cosine":
        return _cosine(left, index, unit, tiny)
    scale = 1.0 if SAFE[0] < longest < SAFE[1] or longest == 0 else longest
    slack = np.full(len(left), unit * longest / scale + tiny)
    shrink = None if scale == 1.0 else np.full(len(index.rows), 1.0 / scale)
    return Estimate(left, slack, lambda scores: scores / (safe * scale), shrink=shrink)


def _cosine(left: np.ndarray, index: Block, unit: float, tiny: float) -> Estimate:
    """Products with the rows as they are, divided by their norms where those are not 1."""
    norms = np.sqrt(index.squares)
    there = norms > 0
    smallest = float(norms.min(where=there, initial=np.inf))
    longest = float(norms.max(initial=0.0))
    if there.all() and abs(smallest - 1) < UNIT and abs(longest - 1) < UNIT:
        return Estimate(left, np.full(len(left), unit + 1.01 * UNIT), lambda scores: scores)
    inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=there)
    if SAFE[0] < smallest and longest < SAFE[1]:
        slack = np.full(len(left), unit + tiny * max(1.0, 1.0 / smallest))
        return Estimate(left, slack, lambda scores: scores, factor=inverse.astype(np.float32))
    return Estimate(left, np.full(len(left), unit + tiny), lambda scores: scores, shrink=inverse)


def _euclidean(queries: Block, index: Block, unit: float, tiny: float) -> Estimate:
    """q.x - x.x/2 falls as the distance grows; both are divided by the largest squared norm."""
    lengths = np.sqrt(queries.squares)
    longest = index.longest
    largest = max(longest, float(lengths.max(initial=0.0))) or 1.0
    scale = 1.0 if SAFE[0] < largest < SAFE[1] else largest
    left = (queries.rows * (scale / largest**2)).astype(np.float32)
    rounding = queries.rows.shape[1] * 2.0**-50 * (lengths + longest) ** 2  # of the float64 score
    return Estimate(
        left,
        (unit * (lengths * longest + longest**2) + rounding) / largest**2 + tiny,
        lambda scores: 0.5 * (queries.squares - scores**2) / largest**2,
        offset=(0.5 * index.squares / largest**2).astype(np.float32),
        shrink=None if scale == 1.0 else np.full(len(index.rows), 1.0 / scale),
    )
