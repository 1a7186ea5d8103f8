"""Freed memory stays inside the context, and goes back after it."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from nearer.encoder import heap
from nearer.encoder.heap import memory_kept, memory_returned

glibc = pytest.mark.skipif(heap._tuner() is None, reason="another C library")

FAULTS = """
import contextlib, ctypes, resource, sys
import numpy as np
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # no huge pages, which would count 512 pages as one
from nearer.encoder.heap import memory_kept

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

with memory_kept() if sys.argv[1] == "kept" else contextlib.nullcontext():
    np.ones(16 << 20).sum()  # 128 MiB
    before = faults()
    for _ in range(4):
        np.ones(16 << 20).sum()
    inside = faults() - before
held = int(open("/proc/self/statm").read().split()[1])
print(inside, held)
"""


def child(how: str) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True
    )
    inside, held = done.stdout.split()
    return int(inside), int(held)


@glibc
def test_blocks_are_cleared_once_and_given_back() -> None:
    """Four blocks of 32,768 pages: mapped anew without it, the same pages with it."""
    plain, _ = child("plain")
    kept, held = child("kept")
    assert kept < 1000 < plain
    assert held * 4096 < 100 << 20  # 128 MiB were given back


class Options:
    """Notes what malloc would be told."""

    def __init__(self) -> None:
        self.said: list[tuple[int, ...]] = []

    def option(self, number: int, value: int) -> int:
        self.said.append((number, value))
        return 1

    def trim(self, pad: int) -> int:
        self.said.append((pad,))
        return 1


def test_only_the_outermost_gives_back(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options()
    monkeypatch.setattr(heap, "_tuner", lambda: options)
    with memory_kept():
        with memory_kept():
            pass
        assert options.said == [(heap.M_MMAP_MAX, 0), (heap.M_TRIM_THRESHOLD, -1)]
    assert options.said[2:] == [
        (heap.M_MMAP_MAX, heap.DEFAULT_MAPPINGS),
        (heap.M_MMAP_THRESHOLD, heap.LARGEST_DYNAMIC),
        (heap.M_TRIM_THRESHOLD, 2 * heap.LARGEST_DYNAMIC),
        (0,),
    ]


def test_what_is_to_be_returned_is_not_kept_within(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options()
    monkeypatch.setattr(heap, "_tuner", lambda: options)
    with memory_returned(), memory_kept():
        assert options.said == [(heap.M_MMAP_THRESHOLD, heap.LARGE)]
    assert options.said[-1] == (0,)


def test_threads_may_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options()
    monkeypatch.setattr(heap, "_tuner", lambda: options)
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with memory_kept():
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=other)
    with memory_kept():
        thread.start()
        assert entered.wait(30)
    assert len(options.said) == 2  # the other one is still inside
    leave.set()
    thread.join()
    assert len(options.said) == 6


def test_an_error_gives_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options()
    monkeypatch.setattr(heap, "_tuner", lambda: options)
    with pytest.raises(ValueError, match="no"), memory_kept():
        raise ValueError("no")
    assert options.said[-1] == (0,)


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_tuner", lambda: None)
    with memory_kept():
        assert np.ones(3).sum() == 3
