"""Rounds: whatever each process wants and how often, all do the same things in the same order."""

import threading
from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearer.loop.rounds import Rounds

KINDS = 3


class Meeting:
    """The largest number that some threads give; each call is a round of all of them."""

    def __init__(self, size: int) -> None:
        self.barrier, self.given = threading.Barrier(size, timeout=20), [0] * size

    def most(self, rank: int, number: int) -> int:
        self.given[rank] = number
        self.barrier.wait()
        largest = max(self.given)
        self.barrier.wait()
        return largest


def together(wants: list[list[list[int]]]) -> list[list[str]]:
    """What each of some processes does: its wants, up to each point where all wait."""
    meeting = Meeting(len(wants))
    done: list[list[str]] = [[] for _ in wants]
    points = max(len(one) for one in wants)

    def run(rank: int) -> None:
        rounds = Rounds(lambda number: meeting.most(rank, number))
        for kind in range(1, KINDS + 1):
            assert rounds.add(lambda kind=kind: done[rank].append(f"{kind}")) == kind  # type: ignore[misc]
        for _, part in zip_longest(range(points), wants[rank], fillvalue=[]):
            for kind in part or []:
                rounds.take_part(kind)
                done[rank].append(str(kind))
            rounds.take_part(0)
            done[rank].append("all wait")

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(len(wants))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return done


wanted = st.lists(st.lists(st.integers(1, KINDS), max_size=5), max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.lists(wanted, min_size=1, max_size=3))
def test_all_do_the_same_in_the_same_order(wants: list[list[list[int]]]) -> None:
    first, *others = done = together(wants)
    assert all(other == first for other in others)
    for own, did in zip(wants, done, strict=True):
        parts = " ".join(did).split("all wait")
        for part, found in zip(own, parts, strict=False):
            left = iter(found.split())
            assert all(str(kind) in left for kind in part)  # its own, in its own order


def test_nobody_passes_more_often_than_the_one_with_most() -> None:
    done = together([[[1, 1, 1]], [[1]], [[]]])
    assert done == [["1", "1", "1", "all wait"]] * 3


def test_what_is_done_for_others_asks_nobody() -> None:
    said = iter([1, 0])
    rounds = Rounds(lambda wanted: next(said))
    rounds.add(lambda: rounds.take_part(1))
    rounds.take_part(0)
    with pytest.raises(StopIteration):
        next(said)


def test_after_a_failure_the_others_are_asked_again() -> None:
    said = iter([1, 0])
    rounds = Rounds(lambda wanted: next(said))
    rounds.add(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(ZeroDivisionError):
        rounds.take_part(0)
    rounds.take_part(0)
