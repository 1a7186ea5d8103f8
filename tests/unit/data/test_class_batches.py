import numpy as np
import pytest

from nearer.data.class_batches import ClassBatches
from nearer.data.columns import read_examples
from nearer.errors import SpecError


def labelled(*sizes):
    return read_examples(
        [{"text": f"{c}-{i}", "label": f"c{c}"} for c, n in enumerate(sizes) for i in range(n)]
    )


def check(source, data, number=1):
    """Every batch is P x K with different classes, every row is seen; gives the batches."""
    batches = list(source.epoch(number))
    assert len(batches) == len(source)
    for batch in batches:
        classes, counts = np.unique(batch.labels, return_counts=True)
        assert len(classes) == source.classes_per_batch
        assert (counts == source.items_per_class).all()
    seen = np.unique(np.concatenate([batch.rows for batch in batches]))
    assert seen.tolist() == list(range(len(data)))
    return batches


def test_equal_classes_fill_batches_exactly():
    data = labelled(*[8] * 10)
    source = ClassBatches(data, 20, seed=0)
    batches = check(source, data)
    assert (source.classes_per_batch, source.items_per_class, source.adjusted) == (5, 4, None)
    assert len(batches) == 4
    rows = np.concatenate([batch.rows for batch in batches])
    assert len(np.unique(rows)) == len(rows)


def test_short_classes_are_filled_and_no_row_stands_twice_without_need():
    data = labelled(5, 6, 7, 2, 1, 9)
    source = ClassBatches(data, 8, seed=3)
    for batch in check(source, data):
        for label in np.unique(batch.labels):
            own = batch.rows[batch.labels == label]
            size = int((data.labels == label).sum())
            assert len(np.unique(own)) == min(4, size)


def test_a_large_class_has_the_others_beside_it():
    data = labelled(100, 4, 4, 4)
    source = ClassBatches(data, 12, seed=1)
    assert len(check(source, data)) == 25


@pytest.mark.parametrize(
    ("sizes", "batch_size", "items", "shape"),
    [
        ([50, 50, 50], 64, 4, (3, 21)),
        ([5, 5, 5], 64, 4, (3, 5)),
        ([50] * 10, 8, 16, (2, 4)),
        ([50] * 10, 10, 4, (2, 4)),
        ([50] * 10, 2, 4, (2, 2)),
        ([2, 2], 64, 4, (2, 4)),
    ],
)
def test_what_cannot_be_met_is_adjusted_and_told(sizes, batch_size, items, shape):
    data = labelled(*sizes)
    source = ClassBatches(data, batch_size, seed=0, items_per_class=items)
    check(source, data)
    assert (source.classes_per_batch, source.items_per_class) == shape
    assert source.adjusted == (
        f"batch_size {batch_size} with {items} items per class cannot be met with the "
        f"{len(sizes)} classes of list: batches have {shape[0]} classes x {shape[1]} items = "
        f"{shape[0] * shape[1]} rows."
    )


def test_epochs_differ_and_can_be_drawn_again():
    data = labelled(*range(1, 20))
    source = ClassBatches(data, 16, seed=5)
    second = [batch.rows.tolist() for batch in source.epoch(2)]
    assert second == [b.rows.tolist() for b in ClassBatches(data, 16, seed=5).epoch(2)]
    assert second[3:] == [b.rows.tolist() for b in source.epoch(2, start=3)]
    assert second != [b.rows.tolist() for b in source.epoch(1)]
    assert second != [b.rows.tolist() for b in ClassBatches(data, 16, seed=6).epoch(2)]


def test_classes_meet_in_changing_company():
    data = labelled(*[40] * 12)
    met = np.zeros((12, 12), dtype=int)
    source = ClassBatches(data, 16, seed=0)
    for batch in (batch for number in (1, 2, 3) for batch in source.epoch(number)):
        there = np.unique(batch.labels)
        met[np.ix_(there, there)] += 1
    assert (met > 0).all()


def test_a_class_that_a_split_left_empty():
    data = labelled(4, 4, 4).take(np.r_[0:4, 8:12])
    assert len(check(ClassBatches(data, 8, seed=0), data)) == 1


def test_faults():
    pairs = read_examples([{"query": "a", "document": "b"}])
    with pytest.raises(SpecError, match="list: batches of classes take data with labels"):
        ClassBatches(pairs, 8, seed=0)
    with pytest.raises(SpecError, match="items_per_class: 0 is too small"):
        ClassBatches(labelled(2, 2), 8, seed=0, items_per_class=0)
    with pytest.raises(SpecError, match="batch_size: 0 is too small"):
        ClassBatches(labelled(2, 2), 0, seed=0)


def test_real_labels(real):
    data = read_examples(real("banking77/train.csv"))
    source = ClassBatches(data, 64, seed=42)
    assert len(check(source, data)) == 159
    assert (source.classes_per_batch, source.adjusted) == (16, None)
