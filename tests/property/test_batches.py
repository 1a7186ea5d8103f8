"""Batches of any size from any data: every row is seen, any epoch can be drawn again."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nearer.data.batches import FixedBatches, RandomBatches
from nearer.data.class_batches import ClassBatches
from nearer.data.columns import read_examples
from nearer.data.splitting import split
from nearer.errors import DataError

quick = settings(deadline=None, max_examples=60)


def pairs(n):
    return read_examples([{"query": f"q{i}", "document": f"d{i}"} for i in range(n)])


@quick
@given(
    n=st.integers(1, 60),
    size=st.integers(1, 70),
    seed=st.integers(0, 2**40),
    number=st.integers(1, 1000),
    start=st.integers(0, 5),
)
def test_each_row_once_an_epoch(n, size, seed, number, start):
    data = pairs(n)
    for source in (RandomBatches(data, size, seed), FixedBatches(data, size)):
        batches = [batch.rows.tolist() for batch in source.epoch(number)]
        assert len(batches) == len(source)
        assert sorted(row for batch in batches for row in batch) == list(range(n))
        assert all(len(batch) > 1 for batch in batches) or size == 1 or n == 1
        assert all(len(batch) <= size + 1 for batch in batches)
        assert [b.rows.tolist() for b in source.epoch(number, start=start)] == batches[start:]


@quick
@given(
    sizes=st.lists(st.integers(1, 15), min_size=2, max_size=8),
    batch_size=st.integers(1, 40),
    items=st.integers(1, 6),
    seed=st.integers(0, 2**40),
    number=st.integers(1, 1000),
)
def test_class_batches_are_classes_times_items(sizes, batch_size, items, seed, number):
    data = read_examples(
        [{"text": f"{c}-{i}", "label": f"c{c}"} for c, n in enumerate(sizes) for i in range(n)]
    )
    source = ClassBatches(data, batch_size, seed, items)
    batches = list(source.epoch(number))
    assert len(batches) == len(source)
    assert source.classes_per_batch >= 2
    for batch in batches:
        classes, counts = np.unique(batch.labels, return_counts=True)
        assert len(classes) == source.classes_per_batch
        assert (counts == source.items_per_class).all()
        assert (data.labels[batch.rows] == batch.labels).all()
    assert set(np.concatenate([b.rows for b in batches]).tolist()) == set(range(len(data)))
    exact = len(batches[0]) == batch_size and source.items_per_class == items
    assert (source.adjusted is None) == exact


@quick
@given(
    rows=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=2, max_size=40),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 2**40),
)
def test_a_split_shares_no_query_and_no_document(rows, share, seed):
    data = read_examples([{"query": f"q{q}", "document": f"d{d}"} for q, d in rows])
    try:
        train, val = split(data, share, seed)
    except DataError:
        return  # the rows hang together
    assert len(train) + len(val) == len(data)
    assert len(train)
    assert len(val)
    for ours, theirs in zip(train.codes, val.codes, strict=True):
        assert not set(ours.tolist()) & set(theirs.tolist())
