"""The search finds exactly what a float64 brute force finds, bit for bit, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearer.evaluation import search as module
from nearer.evaluation.search import Neighbours, merge, search

DISTANCES = ["cosine", "dot", "euclidean"]
BUDGETS = [1 << 30, 1 << 18, 1 << 14]


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


@pytest.mark.parametrize("distance", DISTANCES)
@given(
    kind=st.sampled_from(KINDS),
    rows=st.one_of(st.integers(1, 300), st.sampled_from([63, 64, 65, 127, 128, 129])),
    queries=st.integers(1, 20),
    dimension=st.sampled_from([1, 2, 7, 8, 9, 33, 130]),
    depth=st.integers(1, 40),
    own=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=50, deadline=None)
def test_search_equals_brute_force(
    distance, kind, rows, queries, dimension, depth, own, seed
) -> None:
    rng = np.random.default_rng(seed)
    x = embeddings(kind, rng, rows, dimension)
    q = np.concatenate([x, embeddings(kind, rng, queries, dimension)])[-queries - rows // 8 :]
    exclude = rng.integers(-1, rows, len(q)) if own else None
    expected = brute_force(q, x, depth, distance, exclude)
    for budget in BUDGETS:
        same(search(q, x, depth, distance, exclude, budget), expected)
    step = int(rng.integers(1, rows + 1))
    blocks = ((start, x[start : start + step]) for start in range(0, rows, step))
    same(search(q, blocks, depth, distance, exclude, BUDGETS[1]), expected)


def same(found: Neighbours, expected: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_array_equal(found.rows, expected[0])
    np.testing.assert_array_equal(found.scores, expected[1])


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_sizes_around_the_edges_of_batches_and_blocks(distance, beyond) -> None:
    rng = np.random.default_rng(beyond + 1)
    x = embeddings("clusters", rng, 2 * module.WIDTH + beyond, 16)
    q = embeddings("plain", rng, module.BATCH + beyond, 16)
    found = search(q, x, 3, distance)
    some = rng.choice(len(q), 40, replace=False)
    some[0] = len(q) - 1
    expected = brute_force(q[some], x, 3, distance)
    same(Neighbours(found.rows[some], found.scores[some]), expected)


@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_permuting_the_index_permutes_the_answer(kind, seed) -> None:
    rng = np.random.default_rng(seed)
    x, q = embeddings(kind, rng, 200, 24), embeddings("plain", rng, 5, 24)
    new = rng.permutation(200)
    found, moved = search(q, x, 200), search(q, x[new], 200)
    np.testing.assert_array_equal(found.scores, moved.scores)
    for i in range(5):
        score = dict(zip(found.rows[i].tolist(), found.scores[i], strict=True))
        assert [score[row] for row in new[moved.rows[i]].tolist()] == moved.scores[i].tolist()


@given(parts=st.integers(1, 5), depth=st.integers(1, 30), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_shards_merge_to_the_whole(parts, depth, seed) -> None:
    rng = np.random.default_rng(seed)
    x, q = embeddings("ties", rng, 90, 3), embeddings("ties", rng, 6, 3)
    shards = []
    for rows in np.array_split(np.arange(90), parts):
        shards.append(search(q, [(int(rows[0]), x[rows])], depth))
    merged = merge(shards[::-1], depth)
    same(merged, brute_force(q, x, depth, "cosine"))


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_query_alone_scores_as_it_does_among_others(distance) -> None:
    rng = np.random.default_rng(0)
    x, q = embeddings("unit", rng, 500, 384), embeddings("unit", rng, 50, 384)
    found = search(q, x, 10, distance)
    for i in (0, 17, 49):
        alone = search(q[i : i + 1], x, 10, distance)
        same(alone, (found.rows[i : i + 1], found.scores[i : i + 1]))
