import numpy as np
import pytest

from nearer.data.batches import FixedBatches, RandomBatches
from nearer.data.columns import read_examples
from nearer.errors import SpecError


def examples(n):
    return read_examples([{"query": f"q{i}", "document": f"d{i}"} for i in range(n)])


def rows(source, number, **options):
    return [batch.rows.tolist() for batch in source.epoch(number, **options)]


def test_the_last_batch_may_be_short_but_not_single():
    assert [len(b) for b in RandomBatches(examples(10), 4, 0).epoch(1)] == [4, 4, 2]
    assert [len(b) for b in RandomBatches(examples(9), 4, 0).epoch(1)] == [4, 5]
    assert [len(b) for b in RandomBatches(examples(8), 4, 0).epoch(1)] == [4, 4]
    assert [len(b) for b in RandomBatches(examples(3), 1, 0).epoch(1)] == [1, 1, 1]
    assert [len(b) for b in RandomBatches(examples(1), 4, 0).epoch(1)] == [1]
    assert len(RandomBatches(examples(9), 4, 0)) == 2


def test_a_batch_size_larger_than_the_data_is_told():
    source = RandomBatches(examples(3), 64, 0)
    assert [len(b) for b in source.epoch(1)] == [3]
    assert source.adjusted == (
        "batch_size 64 is more than the 3 rows of list; all rows stand in one batch."
    )
    assert RandomBatches(examples(3), 3, 0).adjusted is None
    with pytest.raises(SpecError, match="batch_size: 0 is too small"):
        RandomBatches(examples(3), 0, 0)


def test_T11_epochs_differ_and_can_be_drawn_again():
    data = examples(100)
    source = RandomBatches(data, 8, seed=7)
    second = rows(source, 2)
    assert second != rows(source, 1)
    assert second == rows(RandomBatches(data, 8, seed=7), 2)
    assert second != rows(RandomBatches(data, 8, seed=8), 2)
    assert rows(source, 2, start=5) == second[5:]
    assert rows(source, 2, start=len(source)) == []


def test_items_follow_the_rows():
    for batch in RandomBatches(examples(20), 6, 1).epoch(3):
        assert batch.columns[0].items == [f"q{row}" for row in batch.rows]
        assert batch.columns[1].items == [f"d{row}" for row in batch.rows]


def test_fixed_batches_are_the_same_each_time_and_not_in_the_order_of_the_file():
    source = FixedBatches(examples(50), 8)
    first = rows(source, 1)
    assert first == rows(source, 9) == rows(FixedBatches(examples(50), 8), 1)
    assert rows(source, 1, start=2) == first[2:]
    flat = np.concatenate([np.array(batch) for batch in first])
    assert sorted(flat.tolist()) == list(range(50))
    assert flat.tolist() != list(range(50))
    assert len(source) == len(first) == 7
    assert FixedBatches(examples(5), 8).adjusted.startswith("batch_size 8 is more than the 5 rows")
