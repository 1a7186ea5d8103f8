"""Known pairs: the same mask as by hand, in blocks, entry by entry and turned around."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nearer.losses.known import KnownPairs, known_at, known_block, known_turned

CODES = st.integers(-2, 3)


@st.composite
def codes(draw):
    rows = draw(st.integers(1, 7))
    queries = draw(st.lists(CODES, min_size=rows, max_size=rows))
    candidates = draw(st.lists(CODES, min_size=rows, max_size=3 * rows))
    return queries, candidates


def by_hand(queries, candidates):
    mask = []
    for i, query in enumerate(queries):
        relevant = {c for q, c in zip(queries, candidates, strict=False) if q == query}
        mask.append([j != i and c in relevant for j, c in enumerate(candidates)])
    return torch.tensor(mask)


@given(codes(), st.integers(0, 6), st.integers(1, 7))
def test_any_block_is_a_part_of_the_mask(given_codes, start, height):
    queries, candidates = given_codes
    start = min(start, len(queries) - 1)
    stop = min(start + height, len(queries))
    known = KnownPairs.of(np.array(queries), np.array(candidates))
    expected = by_hand(queries, candidates)[start:stop]
    assert torch.equal(known.block(start, stop), expected)
    block = known_block(known, start, stop, len(candidates), "cpu")
    assert torch.equal(block, expected)


@given(codes())
def test_single_entries_and_the_view_from_the_documents(given_codes):
    queries, candidates = given_codes
    rows = len(queries)
    expected = by_hand(queries, candidates)
    known = KnownPairs.of(np.array(queries), np.array(candidates))
    i, j = (t.flatten() for t in torch.meshgrid(*map(torch.arange, expected.shape), indexing="ij"))
    assert torch.equal(known_at(known, i, j).view(expected.shape), expected)
    turned = known_turned(known, rows)
    assert torch.equal(turned.block(0, rows), expected[:, :rows].T)


def test_a_mask_that_is_given_whole_serves_as_well():
    known = torch.tensor([[True, True, False], [False, False, True]])
    expected = torch.tensor([[False, True, False], [False, False, True]])
    assert torch.equal(known_block(known, 0, 2, 3, "cpu"), expected)
    assert torch.equal(known_block(known, 1, 2, 3, "cpu"), expected[1:])
    assert torch.equal(known_turned(known, 2), known[:, :2].T)
    i, j = torch.tensor([[0, 0], [1, 1]]), torch.tensor([[0, 1], [0, 2]])
    assert known_at(known, i, j).tolist() == [[False, True], [False, True]]
    assert known[0, 0]  # what was given is left as it was


def test_without_knowledge_nothing_is_masked():
    assert not known_block(None, 2, 4, 5, "cpu").any()
    assert known_turned(None, 4) is None
    assert not known_at(None, torch.zeros(2, 1, dtype=torch.int64), torch.ones(2, 1)).any()


@pytest.mark.parametrize("rows", [64, 5000])
def test_it_takes_no_more_memory_than_rows_and_candidates(rows):
    known = KnownPairs.of(np.arange(rows) // 2, np.arange(2 * rows))
    held = sum(t.numel() for t in (known.rows, known.candidates, known.related))
    assert held <= 5 * rows
