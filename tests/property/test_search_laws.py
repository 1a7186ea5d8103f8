"""What must not change an answer: how the index is ordered, split, copied or padded."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from property.vectors import DISTANCES, KINDS, embeddings, same

from nearer.evaluation.relevance import JudgedRelevance
from nearer.evaluation.scoring import score
from nearer.evaluation.search import search

SEEDS = st.integers(0, 2**32 - 1)


@given(kind=st.sampled_from(KINDS), seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_permuting_the_index_permutes_the_answer(kind, seed) -> None:
    rng = np.random.default_rng(seed)
    x, q = embeddings(kind, rng, 200, 24), embeddings("plain", rng, 5, 24)
    new = rng.permutation(200)
    found, moved = search(q, x, 200), search(q, x[new], 200)
    np.testing.assert_array_equal(found.scores, moved.scores)
    for i in range(5):
        score_of = dict(zip(found.rows[i].tolist(), found.scores[i], strict=True))
        assert [score_of[row] for row in new[moved.rows[i]].tolist()] == moved.scores[i].tolist()


@given(seed=SEEDS, depth=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_permuting_an_index_without_ties_permutes_ids_and_metrics_stay(seed, depth) -> None:
    rng = np.random.default_rng(seed)
    x, q = embeddings("plain", rng, 80, 24), embeddings("plain", rng, 6, 24)
    judged = rng.integers(0, 6, 90), rng.integers(0, 80, 90), rng.integers(-1, 4, 90)
    new = rng.permutation(80)
    place = np.argsort(new)  # where each row has gone
    before = score(q, x, JudgedRelevance(6, *judged), limit=depth, cutoffs=[3])
    moved = JudgedRelevance(6, judged[0], place[judged[1]], judged[2])
    after = score(q, x[new], moved, limit=depth, cutoffs=[3])
    there = before.rows >= 0
    np.testing.assert_array_equal(np.where(there, new[after.rows], -1), before.rows)
    assert after.metrics == before.metrics


@pytest.mark.parametrize("distance", DISTANCES)
@given(kind=st.sampled_from(KINDS), cuts=st.lists(st.integers(0, 150), max_size=8), seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_splitting_the_index_in_blocks_changes_nothing(distance, kind, cuts, seed) -> None:
    rng = np.random.default_rng(seed)
    x, q = embeddings(kind, rng, 150, 24), embeddings(kind, rng, 9, 24)
    exclude = rng.integers(-1, 150, 9)
    whole = search(q, x, 12, distance, exclude)
    edges = [0, *sorted(cuts), 150]  # a block may be empty
    blocks = [(low, x[low:high]) for low, high in pairwise(edges)]
    for device in (None, "cpu"):
        parts = search(q, blocks, 12, distance, exclude, device=device)
        same(parts, (whole.rows, whole.scores))


@given(
    kind=st.sampled_from(["plain", "unit", "ties", "clusters"]), many=st.integers(1, 50), seed=SEEDS
)
@settings(max_examples=40, deadline=None)
def test_documents_that_are_farther_than_the_last_change_nothing(kind, many, seed) -> None:
    rng = np.random.default_rng(seed)
    x, q = embeddings(kind, rng, 60, 24), embeddings("unit", rng, 5, 24)
    far = np.full((many, 24), -100 * np.sign(q.sum(axis=0)), dtype=np.float32)
    judged = rng.integers(0, 5, 70), rng.integers(0, 60, 70), rng.integers(-1, 4, 70)
    relevance = JudgedRelevance(5, *judged)
    before = score(q, x, relevance, limit=20, distance="euclidean")
    after = score(q, np.concatenate([x, far]), relevance, limit=20, distance="euclidean")
    np.testing.assert_array_equal(after.rows, before.rows)
    np.testing.assert_array_equal(after.scores, before.scores)
    assert after.metrics == before.metrics


@pytest.mark.parametrize("device", [None, "cpu"])
@pytest.mark.parametrize("distance", DISTANCES)
@given(copies=st.integers(2, 30), depth=st.integers(1, 40), seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_of_copies_at_the_cut_the_first_rows_win(device, distance, copies, depth, seed) -> None:
    """Every document is there many times: what is found is all copies of the nearest, in order."""
    rng = np.random.default_rng(seed)
    x, q = embeddings("plain", rng, 10, 24), embeddings("plain", rng, 4, 24)
    found = search(q, np.tile(x, (copies, 1)), depth, distance, device=device)
    once = search(q, x, 10, distance).rows
    expected = (once[:, :, None] + 10 * np.arange(copies)).reshape(4, -1)[:, :depth]
    np.testing.assert_array_equal(found.rows[:, : expected.shape[1]], expected)
    assert (found.rows[:, expected.shape[1] :] == -1).all()
