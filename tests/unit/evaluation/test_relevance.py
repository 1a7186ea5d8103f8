"""Relevance by judgments and by labels: gains, counts and the ideal, without self-matches."""

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from nearer.errors import DataError
from nearer.evaluation.relevance import JudgedRelevance, LabelRelevance


def judged(*triples, queries=3, own=None) -> JudgedRelevance:
    query, index, grade = np.array(triples).reshape(-1, 3).T
    return JudgedRelevance(queries, query, index, grade, own)


def test_gains_counts_and_ideal() -> None:
    relevance = judged((2, 5, 1), (0, 4, 3), (0, 1, 1), (0, 0, 0), (0, 2, -2), (2, 0, 2))
    assert relevance.counts.tolist() == [2, 0, 2]
    hits = np.array([[4, 2, 0, 1, -1], [4, 5, 1, 0, 2], [0, 6, 99, 5, 4]])
    assert relevance.gains(np.arange(3), hits).tolist() == [
        [3, 0, 0, 1, 0],
        [0, 0, 0, 0, 0],
        [2, 0, 0, 1, 0],
    ]
    assert relevance.ideal(np.array([2, 0, 1]), 3).tolist() == [[2, 1, 0], [3, 1, 0], [0, 0, 0]]
    assert relevance.gains(np.array([2]), np.array([[5]])).tolist() == [[1]]


def test_a_pair_judged_twice_counts_once_with_the_higher_grade() -> None:
    relevance = judged((0, 1, 1), (0, 1, 3), (0, 1, 2))
    assert relevance.counts.tolist() == [1, 0, 0]
    assert relevance.ideal(np.array([0]), 2).tolist() == [[3, 0]]
    assert relevance.gains(np.array([0]), np.array([[1, 1]])).tolist() == [[3, 3]]


def test_T36_a_querys_own_row_is_not_relevant_to_it() -> None:
    own = np.array([0, 1, -1])
    relevance = judged((0, 0, 1), (0, 2, 1), (1, 1, 2), (2, 2, 1), own=own)
    assert relevance.counts.tolist() == [1, 0, 1]
    assert relevance.gains(np.arange(3), np.array([[0, 2], [1, 0], [2, 1]])).tolist() == [
        [0, 1],
        [0, 0],
        [1, 0],
    ]
    labels = LabelRelevance(np.array([0, 0, -1]), np.array([0, 0, 0]), 1, own)
    assert labels.counts.tolist() == [2, 2, 0]
    assert labels.gains(np.arange(2), np.array([[0, 1, 2]] * 2)).tolist() == [[0, 1, 1], [1, 0, 1]]


def test_no_judgments_at_all() -> None:
    relevance = judged()
    assert relevance.counts.tolist() == [0, 0, 0]
    assert relevance.gains(np.arange(3), np.array([[0, -1]] * 3)).tolist() == [[0, 0]] * 3
    assert relevance.ideal(np.arange(3), 2).tolist() == [[0, 0]] * 3


def test_labels() -> None:
    relevance = LabelRelevance(np.array([1, -1, 2, 0]), np.array([1, 1, -1, 0]), 3)
    assert relevance.counts.tolist() == [2, 0, 0, 1]
    hits = np.array([[0, 2, 1, -1]] * 4)
    assert relevance.gains(np.arange(4), hits).tolist() == [
        [1, 0, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert relevance.ideal(np.arange(4), 3).tolist() == [[1, 1, 0], [0] * 3, [0] * 3, [1, 0, 0]]


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match="query rows 0 to 5 of 3"):
        judged((0, 0, 1), (5, 0, 1))
    with pytest.raises(DataError, match="index rows from -1"):
        judged((0, -1, 1))
    with pytest.raises(DataError, match="one length"):
        JudgedRelevance(1, np.zeros(2), np.zeros(2), np.zeros(3))
    with pytest.raises(DataError, match="label code 4"):
        LabelRelevance(np.array([4]), np.array([0]), 3)


QUERIES, ROWS, CLASSES, DEPTH = 100_000, 1_000_000, 1_000, 20


@contextmanager
def small_and_quick(megabytes: int, seconds: float) -> Iterator[None]:
    """All pairs would take 100 GB as bits; one pass of Python over the rows takes its seconds."""
    tracemalloc.start()
    began = time.process_time()
    try:
        yield
        took = time.process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes << 20
    assert took < seconds


def test_labels_fit_a_hundred_thousand_queries_and_a_million_rows() -> None:
    rng = np.random.default_rng(0)
    query, index = rng.integers(0, CLASSES, QUERIES), rng.integers(0, CLASSES, ROWS)
    found = rng.integers(0, ROWS, (QUERIES, DEPTH))
    with small_and_quick(megabytes=100, seconds=5):
        relevance = LabelRelevance(query, index, CLASSES)
        gains = relevance.gains(np.arange(QUERIES), found)
        ideal = relevance.ideal(np.arange(QUERIES), DEPTH)
    assert relevance.counts.sum() == np.bincount(index)[query].sum()
    assert gains.mean() == pytest.approx(1 / CLASSES, rel=0.2)
    assert ideal.all()


def test_judgments_fit_a_hundred_thousand_queries_and_a_million_rows() -> None:
    rng = np.random.default_rng(0)
    query, index = rng.integers(0, QUERIES, 10 * QUERIES), rng.integers(0, ROWS, 10 * QUERIES)
    grades = rng.integers(0, 4, 10 * QUERIES)
    found = rng.integers(0, ROWS, (QUERIES, DEPTH))
    found[query, 0] = index  # one that is judged, for most
    with small_and_quick(megabytes=300, seconds=10):
        relevance = JudgedRelevance(QUERIES, query, index, grades)
        gains = relevance.gains(np.arange(QUERIES), found)
        ideal = relevance.ideal(np.arange(QUERIES), DEPTH)
    assert relevance.counts.sum() == pytest.approx((grades > 0).sum(), rel=1e-3)
    assert (gains[:, 0] > 0).mean() == pytest.approx(0.75, abs=0.01)
    assert (ideal[:, 0] >= gains.max(axis=1)).all()
