import numpy as np
import pytest

from nearer.data.columns import read_examples
from nearer.data.splitting import split
from nearer.errors import DataError


def pairs(*rows):
    return read_examples([{"query": q, "document": d} for q, d in rows])


def contents(examples):
    return [set(column.to_pylist()) for column in examples.table.columns]


def test_nothing_of_validation_is_in_training():
    random = np.random.default_rng(3)
    rows = [(f"q{a}", f"d{b}") for a, b in random.integers(0, 400, (300, 2))]
    examples = pairs(*rows)
    train, val = split(examples, 0.2, seed=1)
    assert len(train) + len(val) == 300
    assert 50 <= len(val) <= 60
    for ours, theirs in zip(contents(train), contents(val), strict=True):
        assert not ours & theirs


def test_same_seed_same_split_and_order_of_the_file():
    examples = pairs(*((f"q{i:03}", f"d{i}") for i in range(100)))
    (train, val), (_, again), (_, other) = (split(examples, 0.1, seed) for seed in (1, 1, 2))
    assert len(val) == 10
    assert val.table.equals(again.table)
    assert not val.table.equals(other.table)
    for side in (train, val):
        queries = side.table["query"].to_pylist()
        assert queries == sorted(queries)


def test_a_giant_group_stays_in_training():
    examples = pairs(*[("q", f"d{i}") for i in range(90)], *[(f"p{i}", f"e{i}") for i in range(10)])
    train, val = split(examples, 0.1, seed=0)
    assert len(val) == 10
    assert contents(train)[0] == {"q"}


def test_small_groups_fill_the_share_whatever_the_order():
    rows = [(f"q{i}", f"d{i}{j}") for i in range(20) for j in range(1 + 8 * (i % 2))]
    for seed in range(20):
        _, val = split(pairs(*rows), 0.1, seed)
        assert len(val) == 10


def test_rows_that_hang_together_are_refused():
    message = r"val_split: the 2 rows of list cannot be split.*eval_data"
    with pytest.raises(DataError, match=message):
        split(pairs(("q", "a"), ("q", "b")), 0.5, seed=0)
    for share in (0, 1, 1.5):
        with pytest.raises(DataError, match=f"val_split: {share} is not between 0 and 1"):
            split(pairs(("q", "a"), ("r", "b")), share, seed=0)


def test_labels_are_split_class_by_class():
    sizes = {"a": 100, "b": 50, "c": 10, "d": 1}
    examples = read_examples(
        [{"text": f"{name}{i}", "label": name} for name, n in sizes.items() for i in range(n)]
    )
    train, val = split(examples, 0.2, seed=0)
    assert len(val) == 32
    in_train = np.bincount(train.labels, minlength=4)
    assert (in_train >= [78, 38, 6, 1]).all()
    assert (in_train <= [82, 42, 10, 1]).all()
    assert train.class_names == val.class_names == ("a", "b", "c", "d")


def test_a_labelled_item_that_stands_twice_is_on_one_side():
    examples = read_examples([{"text": f"t{i % 30}", "label": str(i % 3)} for i in range(90)])
    train, val = split(examples, 0.3, seed=4)
    assert len(val) == 27
    assert not contents(train)[0] & contents(val)[0]


def test_every_class_stays_in_training_at_any_share():
    examples = read_examples([{"text": f"t{i}", "label": str(i % 10)} for i in range(20)])
    for share in (0.01, 0.5, 0.9):
        train, val = split(examples, share, seed=0)
        assert len(np.unique(train.labels)) == 10
        assert len(val) >= 1


def test_real_pairs(real):
    train, val = split(read_examples(real("openclipart/train.csv")), 0.1, seed=42)
    assert len(val) == 225
    assert not contents(train)[0] & contents(val)[0]
