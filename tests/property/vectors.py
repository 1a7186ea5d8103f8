"""Embeddings of many kinds, and the brute force that a search is compared with."""

import numpy as np

from nearer.evaluation.search import Neighbours

DISTANCES = ["cosine", "dot", "euclidean"]


def brute_force(queries, index, depth, distance, exclude=None):
    """One query at a time in float64; the order by score, then row."""
    q64, x64 = queries.astype(np.float64), index.astype(np.float64)
    rows = np.full((len(queries), depth), -1)
    scores = np.full((len(queries), depth), -np.inf)
    for i, q in enumerate(q64):
        if distance == "euclidean":
            score = -np.sqrt(((x64 - q) ** 2).sum(axis=1))
        else:
            score = (x64 * q).sum(axis=1)
        if distance == "cosine":
            lengths = np.sqrt((q * q).sum() * (x64 * x64).sum(axis=1))
            score = np.divide(score, lengths, out=np.zeros(len(x64)), where=lengths > 0)
        order = np.lexsort((np.arange(len(x64)), -score))
        if exclude is not None:
            order = order[order != exclude[i]]
        order = order[:depth]
        rows[i, : len(order)], scores[i, : len(order)] = order, score[order]
    return rows, scores


def embeddings(kind: str, rng: np.random.Generator, rows: int, dimension: int) -> np.ndarray:
    x = rng.standard_normal((rows, dimension))
    if kind == "unit":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    elif kind == "ties":
        x = np.round(x)
    elif kind == "collapsed":
        x[:] = x[:1]
    elif kind == "nearly collapsed":
        x = x[:1] + 1e-7 * x
    elif kind == "clusters":
        x = x[rng.integers(0, 3, rows) % rows] + 1e-4 * x
    elif kind == "extreme":
        x *= 10.0 ** rng.integers(-35, 35, (rows, 1))
    elif kind == "zeros":
        x[rng.random(rows) < 0.5] = 0
    return x.astype(np.float32)


KINDS = [*"plain unit ties collapsed clusters extreme zeros".split(), "nearly collapsed"]


def same(found: Neighbours, expected: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_array_equal(found.rows, expected[0])
    np.testing.assert_array_equal(found.scores, expected[1])
