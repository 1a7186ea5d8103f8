"""Relevance by judgments and by labels: gains, counts and the ideal, without self-matches."""

import time

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


def test_a_querys_own_row_is_not_relevant_to_it() -> None:
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


def test_labels_fit_a_hundred_thousand_queries_and_a_million_rows() -> None:
    rng = np.random.default_rng(0)
    query, index = rng.integers(0, 1000, 100_000), rng.integers(0, 1000, 1_000_000)
    began = time.perf_counter()
    relevance = LabelRelevance(query, index, 1000)
    gains = relevance.gains(np.arange(100_000), rng.integers(0, 1_000_000, (100_000, 20)))
    assert relevance.counts.sum() > 0
    assert gains.mean() == pytest.approx(0.001, rel=0.2)
    assert time.perf_counter() - began < 5
