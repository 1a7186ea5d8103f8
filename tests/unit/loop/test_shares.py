"""Dealing the rows of a batch to processes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.toy import PAIRS, batch_of

from nearer.loop.shares import batch_shares, part_of, shares


@given(st.lists(st.integers(1, 2_000), max_size=70), st.integers(1, 9))
def test_every_row_is_dealt_once_and_the_shares_are_alike(costs, size):
    dealt = shares(np.array(costs, dtype=np.int64), size)
    assert len(dealt) == size
    assert sorted(np.concatenate(dealt).tolist()) == list(range(len(costs)))
    assert all((np.diff(rows) > 0).all() for rows in dealt)
    counts = [len(rows) for rows in dealt]
    assert max(counts) - min(counts) <= 1
    sums = [int(np.array(costs, dtype=np.int64)[rows].sum()) for rows in dealt]
    assert max(sums) - min(sums) <= max(costs, default=0)


def test_long_rows_do_not_meet_in_one_process():
    dealt = shares(np.array([100, 1, 1, 100]), 2)
    assert all((rows == 0).any() != (rows == 3).any() for rows in dealt)


def test_a_part_of_a_batch_is_those_rows_of_every_column():
    batch = batch_of(PAIRS[:5], [10, 11, 12, 13, 14])
    rows = batch_shares(batch, 2)
    part = part_of(batch, rows[1])
    assert part.rows.tolist() == (10 + rows[1]).tolist()
    assert [column.side for column in part.columns] == ["query", "document"]
    for column, whole in zip(part.columns, batch.columns, strict=True):
        assert list(column.items) == [whole.items[i] for i in rows[1]]
        assert column.codes.tolist() == whole.codes[rows[1]].tolist()
    assert part.scores is None
    assert part.labels is None


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_fewer_rows_than_processes_leave_some_without(size):
    counts = [len(rows) for rows in batch_shares(batch_of(PAIRS[:2]), size)]
    assert sum(counts) == 2
    assert max(counts) - min(counts) <= 1
