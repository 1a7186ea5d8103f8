"""Some of the queries ask: which, and that all else stays as it was."""

import numpy as np
import pytest

from nearer.errors import DataError
from nearer.evaluation.reading import read_evaluation_set
from nearer.evaluation.relevance import JudgedRelevance, LabelRelevance
from nearer.evaluation.sampling import SampledRelevance, draw

ROWS = [{"id": f"r{i}", "text": f"text {i}", "label": "ab"[i % 2]} for i in range(20)]


def test_a_draw_is_without_replacement_in_row_order_and_repeatable():
    rows = draw(1000, 100)
    assert len(set(rows.tolist())) == 100
    assert (np.diff(rows) > 0).all()
    assert rows.min() >= 0
    assert rows.max() < 1000
    np.testing.assert_array_equal(rows, draw(1000, 100))
    assert not np.array_equal(rows, draw(1000, 100, seed=7))


@pytest.mark.parametrize("size", [None, 20, 21, 10**9])
def test_as_many_as_there_are_or_more_are_all(size):
    assert draw(20, size) is None
    read = read_evaluation_set(ROWS, query_sample_size=size)
    assert (len(read.data.query), read.data.index, read.data.asking) == (20, None, None)
    assert not any("drawn" in note for note in read.notes)


@pytest.mark.parametrize(
    "whole",
    [
        LabelRelevance(np.array([0, 1, -1, 1]), np.array([0, 1, 1, 0, -1]), 2),
        JudgedRelevance(4, [0, 0, 1, 3, 3], [0, 4, 2, 1, 3], [1, 3, 0, 2, 1]),
    ],
    ids=["labels", "judged"],
)
def test_relevance_of_a_sample_is_that_of_the_whole(whole):
    rows = np.array([0, 3])
    sampled = SampledRelevance(whole, rows)
    hits = np.array([[0, 4, 1], [3, -1, 1]])
    np.testing.assert_array_equal(sampled.counts, whole.counts[rows])
    asked = np.arange(2)
    np.testing.assert_array_equal(sampled.gains(asked, hits), whole.gains(rows, hits))
    np.testing.assert_array_equal(sampled.ideal(asked[1:], 3), whole.ideal(rows[1:], 3))


def test_where_queries_are_the_index_all_of_them_stay_in_it():
    read = read_evaluation_set(ROWS, query_sample_size=3, sample_seed=1)
    data = read.data
    assert len(data.query) == 3
    assert len(data.searched) == 20
    assert data.query.ids.to_pylist() == [f"r{row}" for row in data.own_rows]
    np.testing.assert_array_equal(data.own_rows, data.asking)
    assert data.relevance.counts.tolist() == [9, 9, 9]  # its own row is not relevant to it
    assert read.queries == 20
    assert "3 of 20 queries ask, drawn with seed 1" in read.notes


def test_notes_count_the_queries_that_ask():
    qrels = [{"query-id": "r0", "corpus-id": "r1", "score": 1}]
    seeds = range(50)
    drawn = {
        seed: read_evaluation_set(ROWS, ROWS, qrels, query_sample_size=15, sample_seed=seed)
        for seed in seeds
        if 0 in draw(20, 15, seed)
    }
    for read in drawn.values():
        assert any(
            note.startswith("nothing in the index is relevant to 14 of 15") for note in read.notes
        )
    unlucky = next(seed for seed in seeds if 0 not in draw(20, 15, seed))
    with pytest.raises(DataError, match="any of the queries drawn of list"):
        read_evaluation_set(ROWS, ROWS, qrels, query_sample_size=15, sample_seed=unlucky)
