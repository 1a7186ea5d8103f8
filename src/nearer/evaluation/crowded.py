"""A second filter, for embeddings so alike that float32 rules out next to nothing: a collapse."""

from collections.abc import Callable, Iterator

import numpy as np

from nearer.evaluation.distances import CACHE_BYTES, Block, Distance

Pairs = tuple[np.ndarray, np.ndarray]
"""Query rows and index rows, counted from the beginning of the batch and of the block."""


def copies(rows: np.ndarray, most: int) -> np.ndarray:
    """Which rows equal at least `most` earlier ones.

    Args:
        rows: Shape (n, dimension), float32.
        most: How many copies are still wanted.

    Returns:
        Shape (n,), bool.

    Example:
        >>> copies(np.array([[1], [1], [2], [1]], dtype=np.float32), 2).tolist()
        [False, False, False, True]
    """
    rows = np.ascontiguousarray(rows)
    whole = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    group = np.unique(whole, return_inverse=True)[1]
    order = np.argsort(group, kind="stable")
    grouped = group[order]
    spare = np.zeros(len(rows), dtype=bool)
    spare[order[most:]] = grouped[most:] == grouped[: len(rows) - most]
    return spare


def filter_again(
    distance: Distance,
    queries: Block,
    block: Block,
    passed: np.ndarray,
    low: int,
    depth: int,
    last: Callable[[], np.ndarray],
) -> Iterator[Pairs]:
    """Rule out pairs by matrix products in float64, whose error bound is 2^29 times as small.

    Args:
        distance: How pairs are scored.
        queries: The batch, or part of it.
        block: The rows that are searched.
        passed: Shape (queries, width): pairs that are still in the running; is overwritten.
        low: Where the columns of `passed` begin in the block.
        depth: How many rows each query looks for.
        last: Gives the score that each query's rows must beat, shape (queries,); is asked anew
            after each part, as the caller takes in what was found.

    Yields:
        Pairs, by query, then row.
    """
    # Of rows that are copies all score the same and the first win. One of those may be the query
    # itself, which it does not find.
    passed[:, copies(block.rows[low : low + passed.shape[1]], depth + 1)] = False
    left = queries.rows.astype(np.float64)
    lengths = np.sqrt(queries.squares)
    # Both the product and the score that it stands for are off by as much as a sum of n products.
    unit = 2.1 * (left.shape[1] + 8) * 2.0**-53
    slack = unit * lengths * block.longest
    if distance == "cosine":
        left /= np.where(lengths > 0, lengths, 1.0)[:, None]
        slack = np.full(len(left), unit)
    elif distance == "euclidean":
        slack = 2 * unit * (lengths + block.longest) ** 2
    step = max(1, CACHE_BYTES // (8 * max(1, left.shape[1])))
    for first in range(0, passed.shape[1], step):
        here = passed[:, first : first + step]
        rows = slice(low + first, low + first + here.shape[1])
        products = left @ block.rows[rows].astype(np.float64).T
        bar = last()
        if distance == "cosine":
            norms = np.sqrt(block.squares[rows])
            products *= np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        elif distance == "euclidean":  # the negative of the squared distance
            products *= 2
            products -= queries.squares[:, None]
            products -= block.squares[rows]
            bar = -bar * bar
        products[~here] = -np.inf
        bar = bar - slack
        if depth <= here.shape[1]:
            place = here.shape[1] - depth
            bar = np.maximum(bar, np.partition(products, place, axis=1)[:, place] - 2 * slack)
        query, column = np.nonzero(here & (products >= bar[:, None]))
        yield query, column + rows.start
