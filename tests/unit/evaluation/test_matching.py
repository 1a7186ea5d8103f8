"""Several threads: who reports, how a search is broken off, and what it leaves behind."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from nearer.evaluation import matching, threads
from nearer.evaluation.search import search


@pytest.fixture
def three_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "threads", lambda: 3)
    monkeypatch.setattr(matching, "FEWEST", 1)


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3000, 16)).astype("f")


@pytest.mark.usefixtures("three_threads")
def test_progress_comes_from_the_calling_thread_and_adds_up(vectors) -> None:
    steps: list[tuple[int, int]] = []
    search(vectors[:700], vectors, 5, advance=lambda n: steps.append((n, threading.get_ident())))
    assert sum(n for n, _ in steps) == 3000
    assert {who for _, who in steps} == {threading.get_ident()}


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_search_that_is_broken_off_leaves_no_thread_and_no_setting(vectors, error) -> None:
    before = {library["num_threads"] for library in threads.blas().info()}
    running = threading.active_count()

    def broken(rows: int) -> None:
        raise error

    with pytest.raises(error):
        search(vectors, np.tile(vectors, (10, 1)), 5, advance=broken)
    assert threading.active_count() == running
    assert {library["num_threads"] for library in threads.blas().info()} == before


@pytest.mark.usefixtures("three_threads")
def test_an_error_in_a_thread_is_raised(vectors, monkeypatch) -> None:
    def broken(*arguments: object) -> None:
        raise MemoryError("no room for a tile")

    monkeypatch.setattr(matching, "_match_batch", broken)
    with pytest.raises(MemoryError, match="no room"):
        search(vectors, vectors, 5)


@pytest.mark.parametrize("queries", [1, 31, 700, 1030, 5000, 100_000])
@pytest.mark.parametrize("workers", [1, 2, 5, 16])
def test_all_threads_have_as_much_to_do(queries, workers) -> None:
    batch, width, most = matching.sizes(queries, 10**6, 20, workers, 1 << 29)
    batches = -(-queries // batch)
    assert batch <= matching.BATCH
    assert batch * width <= matching.BATCH * matching.WIDTH
    assert -(-batches // workers) * batch <= 1.1 * queries / workers + 1
    assert most * 32 * workers <= 1 << 29


def test_the_search_needs_no_torch() -> None:
    code = "import sys, nearer.evaluation.search; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
