"""Groups of like length: each item once, within the budget, and no cheaper split exists."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearer.encoder.embedding import micro_batches
from nearer.encoder.grouping import filled_up, like_lengths, padded

LENGTHS = st.lists(st.integers(0, 600), max_size=60).map(lambda n: np.array(n, dtype=np.int64))


@given(LENGTHS, st.none() | st.integers(1, 9), st.integers(1, 2000), st.integers(0, 200))
def test_each_item_once_within_the_budget(lengths, most, budget, overhead):
    groups = like_lengths(lengths, most, budget, overhead)
    together = np.concatenate([*groups, np.array([], dtype=np.int64)])
    assert sorted(together.tolist()) == list(range(len(lengths)))
    assert (np.diff(lengths[together]) <= 0).all()
    for group, tokens in zip(groups, padded(lengths, groups), strict=True):
        assert len(group)
        assert tokens <= budget or len(group) == 1
        assert most is None or len(group) <= most
    again = like_lengths(lengths, most, budget, overhead)
    assert [g.tolist() for g in groups] == [g.tolist() for g in again]


@given(LENGTHS, st.none() | st.integers(1, 9), st.integers(1, 2000))
def test_without_padding_groups_are_few_and_of_a_size(lengths, most, budget):
    groups = filled_up(lengths, most, budget)
    together = np.concatenate([*groups, np.array([], dtype=np.int64)])
    assert sorted(together.tolist()) == list(range(len(lengths)))
    assert (np.diff(lengths[together]) <= 0).all()
    sizes = [int(lengths[group].sum()) for group in groups]
    for group, tokens in zip(groups, sizes, strict=True):
        assert len(group)
        assert tokens <= budget or len(group) == 1
        assert most is None or len(group) <= most
    if most is None and len(lengths):
        # None but the last ends before its share, unless the next text would have been too much.
        share = min(budget, sum(sizes) / -(-sum(sizes) // budget)) if sum(sizes) else 0
        longest = int(lengths.max())
        assert all(tokens >= share - longest for tokens in sizes[:-1])
        assert len(groups) <= 2 * -(-sum(sizes) // budget) + 1


@given(st.lists(st.integers(1, 30), min_size=1, max_size=7), st.integers(0, 40))
def test_no_split_of_the_sorted_items_costs_less(lengths, overhead):
    items = np.array(lengths)
    found = like_lengths(items, budget=10**6, overhead=overhead)
    cost = sum(padded(items, found)) + overhead * len(found)
    ordered = sorted(lengths, reverse=True)
    best = min(
        sum(ordered[a] * (b - a) + overhead for a, b in itertools.pairwise([0, *cuts, len(items)]))
        for n in range(len(items))
        for cuts in itertools.combinations(range(1, len(items)), n)
    )
    assert cost == best


def test_less_is_padded_than_by_filling_up_in_order():
    lengths = np.random.default_rng(0).gamma(2.0, 60.0, 128).astype(int).clip(4, 256)
    ours, plain = like_lengths(lengths), micro_batches(lengths)
    assert sum(padded(lengths, ours)) < 0.9 * sum(padded(lengths, plain))
    assert sum(padded(lengths, ours)) < 1.1 * lengths.sum()


@pytest.mark.parametrize("most", [None, 5])
def test_pictures_are_all_alike_and_go_in_groups_of_the_same_size(most):
    groups = like_lengths(np.ones(11, dtype=np.int64), most)
    assert sorted(map(len, groups)) == ([11] if most is None else [3, 4, 4])
