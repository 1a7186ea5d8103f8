"""Embeddings that are there already score what the same embeddings score anywhere."""

import numpy as np
import pytest

from nearer.errors import DataError
from nearer.evaluation import vectors
from nearer.evaluation.given import check_vectors, evaluate_vectors
from nearer.evaluation.reading import read_evaluation_set
from nearer.evaluation.scoring import Measure, score
from nearer.evaluation.vectors import open_vectors

RNG = np.random.default_rng(3)
QUERY, INDEX = (RNG.standard_normal((n, 8)).astype(np.float32) for n in (30, 200))
QUERY_ROWS = [{"id": f"q{i}", "label": f"{i % 5}"} for i in range(30)]
INDEX_ROWS = [{"id": f"d{i}", "label": f"{i % 5}"} for i in range(200)]


def untracked(description, total):
    from contextlib import nullcontext

    return nullcontext(lambda done: None)


def equal(one, other):
    assert one.metrics == other.metrics
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize("held", [True, False], ids=["array", "file"])
@pytest.mark.parametrize("budget", [1 << 30, 1 << 12])
@pytest.mark.parametrize("size", [None, 7])
@pytest.mark.parametrize("apart", [True, False], ids=["index", "queries are the index"])
def test_it_equals_score(tmp_path, monkeypatch, held, budget, size, apart):
    monkeypatch.setattr(vectors, "BLOCK", 16)
    rows = (QUERY_ROWS, INDEX_ROWS) if apart else (INDEX_ROWS, None)
    read = read_evaluation_set(*rows, by_position=True, query_sample_size=size)
    sides = [QUERY, INDEX] if apart else [INDEX]
    if not held:
        for i, side in enumerate(sides):
            np.save(tmp_path / f"{i}.npy", side)
        sides = [tmp_path / f"{i}.npy" for i in range(len(sides))]
    opened = [open_vectors(side, "embeddings") for side in sides]
    query, index = opened if apart else (opened[0], None)
    check_vectors(query, index, read.data, read.queries)
    measure = Measure(limit=10, cutoffs=[3], metrics=["ndcg_at_k"], memory_budget=budget)
    result = evaluate_vectors(query, index, read.data, measure, untracked)
    first = QUERY if apart else INDEX
    asking = np.arange(len(first)) if size is None else read.data.asking
    plain = score(
        first[asking],
        INDEX,
        read.data.relevance,
        own_rows=read.data.own_rows,
        limit=10,
        cutoffs=[3],
        metrics=["ndcg_at_k"],
    )
    equal(result, plain)
    assert result.reverse is None
    assert (result.queries, result.index) == (len(asking), 200)
    assert (result.encoded, result.reused) == (0, 0)


@pytest.mark.parametrize("budget", [1 << 30, 1 << 12])
def test_both_directions_equal_score_with_the_sides_changed(tmp_path, monkeypatch, budget):
    monkeypatch.setattr(vectors, "BLOCK", 16)
    for name, side in (("q", QUERY), ("d", INDEX)):
        np.save(tmp_path / f"{name}.npy", side)
    query, index = (open_vectors(tmp_path / f"{name}.npy", "embeddings") for name in "qd")
    read = read_evaluation_set(QUERY_ROWS, INDEX_ROWS, by_position=True, both_directions=True)
    measure = Measure(limit=10, metrics=["ndcg_at_k"], memory_budget=budget)
    result = evaluate_vectors(query, index, read.data, measure, untracked, both_directions=True)
    swapped = read_evaluation_set(INDEX_ROWS, QUERY_ROWS, by_position=True).data
    back = score(INDEX, QUERY, swapped.relevance, limit=10, metrics=["ndcg_at_k"])
    equal(result.reverse, back)
    assert result.reported["reverse_ndcg_at_k"] == back.metrics["ndcg_at_k"]


def test_what_does_not_belong_to_each_other_is_named_with_its_counts(tmp_path):
    data = read_evaluation_set(QUERY_ROWS, INDEX_ROWS, by_position=True)
    np.save(tmp_path / "index.npy", INDEX[:-1])
    query, index = open_vectors(QUERY, "first"), open_vectors(tmp_path / "index.npy", "second")
    with pytest.raises(DataError, match=r"index\.npy has 199 embeddings, and list has 200 rows;"):
        check_vectors(query, index, data.data, data.queries)
    with pytest.raises(DataError, match="first has 29 embeddings, and list has 30 rows"):
        check_vectors(open_vectors(QUERY[1:], "first"), index, data.data, data.queries)
    narrow = open_vectors(INDEX[:, :4], "second")
    with pytest.raises(DataError, match="first has 8 dimensions and second has 4"):
        check_vectors(query, narrow, data.data, data.queries)
    check_vectors(query.cut(4), narrow, data.data, data.queries)


def test_rows_that_were_left_out_are_counted():
    rows = [*QUERY_ROWS, {"id": "x", "label": ""}]
    read = read_evaluation_set(rows, INDEX_ROWS, by_position=True, on_bad_row="skip")
    query = open_vectors(np.ones((31, 8)), "first")
    with pytest.raises(DataError, match=r"31 embeddings, .* 30 rows \(1 more left out\)"):
        check_vectors(query, open_vectors(INDEX, "second"), read.data, read.queries)


def test_progress_adds_up():
    seen = {}

    def track(description, total):
        from contextlib import nullcontext

        seen[description] = [total, 0]

        def advance(done):
            seen[description][1] += done

        return nullcontext(advance)

    read = read_evaluation_set(INDEX_ROWS, by_position=True)
    evaluate_vectors(open_vectors(INDEX, "one"), None, read.data, Measure(), track)
    assert seen == {"Matching": [200, 200]}
