"""What the search refuses, how it reports progress, and that its memory is flat."""

import tracemalloc

import numpy as np
import pytest

from nearer.errors import DataError, UnknownName, UsageError
from nearer.evaluation.search import search

EYE = np.eye(4, dtype=np.float32)


def test_more_asked_for_than_there_is() -> None:
    found = search(EYE[:2], EYE, depth=6, exclude=np.array([0, -1]))
    assert found.rows.tolist() == [[1, 2, 3, -1, -1, -1], [1, 0, 2, 3, -1, -1]]
    assert found.scores[0, 3] == -np.inf


def test_rows_of_zeros_have_cosine_0() -> None:
    index = np.array([[0, 0], [-1, 0], [1, 0]], dtype=np.float32)
    found = search(np.array([[1, 0], [0, 0]], dtype=np.float32), index, 3)
    assert found.rows.tolist() == [[2, 0, 1], [0, 1, 2]]
    assert found.scores.tolist() == [[1, 0, -1], [0, 0, 0]]


def test_euclidean_scores_are_negative_distances() -> None:
    found = search(EYE[:1] * 3, EYE, 2, "euclidean")
    assert found.scores.tolist() == [[-2.0, -np.sqrt(10)]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_embeddings_that_are_not_finite_are_counted_and_named(value) -> None:
    bad = EYE.copy()
    bad[[1, 3], 2] = value
    with pytest.raises(DataError, match=r"2 of 4 index embeddings.*first is row 1"):
        search(EYE, bad, 1)
    with pytest.raises(DataError, match="2 of 4 query embeddings"):
        search(bad, EYE, 1)
    with pytest.raises(DataError, match="first is row 5"):
        search(EYE, [(0, EYE), (4, bad)], 1)


def test_what_it_refuses() -> None:
    with pytest.raises(UnknownName, match='Did you mean "cosine"'):
        search(EYE, EYE, 1, "cosin")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="3 dimensions and the index has 4"):
        search(EYE[:, :3], EYE, 1)
    with pytest.raises(DataError, match=r"shape \(4,\)"):
        search(EYE[0], EYE, 1)
    with pytest.raises(UsageError, match="depth is 0"):
        search(EYE, EYE, 0)
    with pytest.raises(UsageError, match="in order"):
        search(EYE, [(4, EYE), (0, EYE)], 1)


def test_other_number_types_and_views_are_taken() -> None:
    wide = np.random.default_rng(0).standard_normal((30, 8))
    plain = search(np.ascontiguousarray(wide[:, :4], np.float32), wide[:, :4].astype("f"), 5)
    views = search(wide[:, :4], wide.astype("f")[:, :4], 5)
    fortran = search(wide[:, :4], np.asfortranarray(wide[:, :4].astype("f")), 5)
    for other in (views, fortran):
        np.testing.assert_array_equal(plain.rows, other.rows)
        np.testing.assert_array_equal(plain.scores, other.scores)


@pytest.mark.parametrize("blocks", [False, True])
def test_progress_adds_up_to_the_index(blocks) -> None:
    steps: list[int] = []
    index = np.random.default_rng(0).standard_normal((1000, 4)).astype("f")
    given = [(i, index[i : i + 300]) for i in range(0, 1000, 300)] if blocks else index
    search(index[:37], given, 2, memory_budget=1 << 14, advance=steps.append)
    assert sum(steps) == 1000
    assert min(steps) > 0


@pytest.mark.parametrize("kind", ["spread", "collapsed"])
def test_memory_is_flat_when_nothing_can_be_ruled_out(kind) -> None:
    rng = np.random.default_rng(0)
    index = rng.standard_normal((20_000, 16)).astype("f")
    if kind == "collapsed":
        index[:] = index[0]
    budget = 8 << 20  # all pairs of 100 x 20,000 would take 8 MB as estimates alone
    tracemalloc.start()
    try:
        found = search(index[:100], index, 10, memory_budget=budget)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < budget
    if kind == "collapsed":
        assert (found.rows == np.arange(10)).all()


def test_no_queries_find_nothing() -> None:
    assert search(EYE[:0], EYE, 3).rows.shape == (0, 3)
    assert search(EYE, EYE[:0], 3).rows.tolist() == [[-1] * 3] * 4
