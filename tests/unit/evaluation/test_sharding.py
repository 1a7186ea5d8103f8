"""An evaluation that several processes share; here they are threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nearer.data.collection import Collection
from nearer.evaluation import evaluator
from nearer.evaluation.evaluator import build_evaluation_set, evaluate
from nearer.evaluation.sharding import Shard, bounds, text_costs

ENCODER = SimpleNamespace(module=nn.Identity())


class Stopped(Exception):
    """What `obey` raises here."""


class Meeting:
    """Where the threads of one evaluation exchange what they have."""

    def __init__(self, size):
        self.size, self.held = size, [None] * size
        self.barrier = threading.Barrier(size, timeout=20)

    def exchange(self, rank, value):
        self.held[rank] = value
        self.barrier.wait()
        found = list(self.held)
        self.barrier.wait()
        return found


class Member:
    """One of the processes; `cut_after` items a signal comes to it."""

    def __init__(self, meeting, rank, cut_after=None):
        self.meeting, self.rank, self.size = meeting, rank, meeting.size
        self.cut_after, self.asked = cut_after, 0

    def cut(self):
        self.asked += 1
        return self.cut_after is not None and self.asked > self.cut_after

    def obey(self):
        wants = self.cut_after is not None and self.asked > self.cut_after
        if any(self.meeting.exchange(self.rank, wants)):
            raise Stopped

    def arrays(self, array):
        return self.meeting.exchange(self.rank, array)


def collection(items, labels, source="corpus.jsonl"):
    return Collection(
        ids=pa.chunked_array([[str(i) for i in range(len(items))]], pa.string()),
        items=pa.chunked_array([items[:2], items[2:]], pa.string()),
        modality="text",
        labels=pa.chunked_array([labels], pa.string()),
        source=source,
    )


def embed(encoder, items, side, *, advance=lambda n: None, fresh=lambda n: None):
    """Few different directions, so that many scores are equal."""
    rows = []
    for item in items:
        rng = np.random.default_rng(len(item) % 7)
        rows.append(rng.standard_normal(4))
        advance(1)
    fresh(len(items))
    return np.array(rows, dtype=np.float32).reshape(len(items), 4)


def texts(count, seed):
    rng = np.random.default_rng(seed)
    words = ["x" * int(n) + str(i) for i, n in enumerate(rng.integers(1, 60, count))]
    return words, [str(int(label)) for label in rng.integers(0, 4, count)]


def shared(data, size, **options):
    meeting = Meeting(size)

    def one(rank):
        member = Member(meeting, rank)
        return evaluate(ENCODER, data, encode=embed, processes=member, **options)

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))


SETS = {
    "an index": lambda: build_evaluation_set(
        collection(*texts(9, 0), "queries.jsonl"), collection(*texts(50, 1))
    ),
    "queries that are the index": lambda: build_evaluation_set(collection(*texts(40, 2))),
    "fewer rows than processes": lambda: build_evaluation_set(
        collection(*texts(2, 3), "queries.jsonl"), collection(*texts(3, 4))
    ),
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("budget", [1 << 20, 1 << 11])
def test_shared_is_the_same_as_alone_bit_for_bit(monkeypatch, name, size, budget):
    monkeypatch.setattr(evaluator, "BLOCK", 8)
    data = SETS[name]()
    options = {"limit": 7, "cutoffs": [3], "memory_budget": budget}
    options["both_directions"] = data.index is not None
    alone = evaluate(ENCODER, data, encode=embed, **options)
    for result in shared(data, size, **options):
        assert result.metrics == alone.metrics
        np.testing.assert_array_equal(result.rows, alone.rows)
        np.testing.assert_array_equal(result.scores, alone.scores)
        np.testing.assert_array_equal(result.first_relevant, alone.first_relevant)
        assert (result.queries, result.index) == (alone.queries, alone.index)
        assert result.encoded == alone.encoded
        assert result.reported == alone.reported


@pytest.mark.parametrize("after", [0, 3, 20])
def test_a_signal_to_one_ends_all_at_one_point(after):
    data = SETS["an index"]()
    meeting, members = Meeting(2), []

    def one(rank):
        members.append(Member(meeting, rank, after if rank else None))
        with pytest.raises(Stopped):
            evaluate(ENCODER, data, encode=embed, processes=members[-1], limit=5)
        return True

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(one, range(2))) == [True, True]


@given(st.lists(st.integers(1, 2_000), max_size=80), st.integers(1, 9))
def test_parts_are_consecutive_and_about_alike(costs, size):
    ends = bounds(np.array(costs, dtype=np.int64), size)
    assert len(ends) == size + 1
    assert (ends[0], ends[-1]) == (0, len(costs))
    assert (np.diff(ends) >= 0).all()
    whole = sum(costs)
    for low, high in pairwise(ends):
        assert sum(costs[low:high]) <= whole / size + max(costs, default=0)


def test_a_long_text_costs_more_but_not_without_end():
    costs = text_costs(pa.chunked_array([["a", "b" * 100, "c" * 10**6]]))
    assert costs[0] < costs[1] < costs[2] < 30 * costs[1]


def test_alone_the_part_is_the_whole():
    assert Shard(None).part(pa.chunked_array([["a", "b"]]), False) == (0, 2)
