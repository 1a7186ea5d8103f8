"""The search finds exactly what a float64 brute force finds, bit for bit, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from property.vectors import DISTANCES, KINDS, brute_force, embeddings, same

from nearer.evaluation import matching, on_device
from nearer.evaluation.search import Neighbours, merge, search

BUDGETS = [1 << 30, 1 << 18, 1 << 14]


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
    for budget in BUDGETS:  # torch's own products, on its CPU
        same(search(q, x, depth, distance, exclude, budget, device="cpu"), expected)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_sizes_around_the_edges_of_batches_and_blocks(distance, beyond) -> None:
    rng = np.random.default_rng(beyond + 1)
    x = embeddings("clusters", rng, 2 * matching.WIDTH + beyond, 16)
    q = embeddings("plain", rng, matching.BATCH + beyond, 16)
    found = search(q, x, 3, distance)
    some = rng.choice(len(q), 40, replace=False)
    some[0] = len(q) - 1
    expected = brute_force(q[some], x, 3, distance)
    same(Neighbours(found.rows[some], found.scores[some]), expected)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("kind", KINDS)
def test_threads_change_nothing(kind, distance, threads, monkeypatch) -> None:
    rng = np.random.default_rng(threads)
    x, q = embeddings(kind, rng, 400, 24), embeddings(kind, rng, 45, 24)
    exclude = rng.integers(-1, 400, 45)
    expected = search(q, x, 10, distance, exclude)
    monkeypatch.setattr(matching, "threads", lambda: threads)
    monkeypatch.setattr(matching, "FEWEST", 4)
    found = search(q, x, 10, distance, exclude, memory_budget=threads * matching.LEAST)
    same(found, (expected.rows, expected.scores))


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("kind", KINDS)
def test_batches_and_tiles_of_a_device_change_nothing(kind, distance, monkeypatch) -> None:
    rng = np.random.default_rng(5)
    x, q = embeddings(kind, rng, 333, 24), embeddings(kind, rng, 45, 24)
    exclude = rng.integers(-1, 333, 45)
    monkeypatch.setattr(on_device, "BATCH", 20)
    monkeypatch.setattr(on_device, "WIDTH", 50)
    found = search(q, x, 10, distance, exclude, device="cpu")
    same(found, brute_force(q, x, 10, distance, exclude))


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
