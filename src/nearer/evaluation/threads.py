"""Work on as many threads as a matrix product would use. Knows nothing of what the work is."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, ThreadPoolExecutor, wait
from functools import cache
from typing import Any

_limiting = threading.Lock()


def on_threads(
    work: Callable[[int, Callable[[int], None]], None],
    items: Sequence[int],
    workers: int,
    done: Callable[[int], None],
) -> None:
    """Do every item on one of several threads, while this one reports what they did.

    Args:
        work: Called with an item and a function that takes how much of it was done since.
        items: What there is to do.
        workers: Threads; with 1 the caller's own does it all.
        done: Called from the caller's thread with what was done since the last call.
    """
    if workers == 1:
        for item in items:
            work(item, done)
        return
    counts = [0] * len(items)  # each is written by one thread only
    stop = threading.Event()

    def counter(place: int) -> Callable[[int], None]:
        def count(pairs: int) -> None:
            if stop.is_set():
                raise CancelledError
            counts[place] += pairs

        return count

    # How many threads a product takes is a setting of the process, so one search at a time has it.
    with _limiting, blas().limit(limits=1), ThreadPoolExecutor(workers) as pool:
        waiting = {pool.submit(work, item, counter(place)) for place, item in enumerate(items)}
        reported = 0
        try:
            while waiting:
                finished, waiting = wait(waiting, timeout=0.1, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                reported, before = sum(counts), reported
                done(reported - before)
        except BaseException:  # Ctrl-C too: nobody waits for the rest
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def threads() -> int:
    """Threads that a matrix product takes now: the user's OMP_NUM_THREADS, or the cores."""
    return max((library["num_threads"] for library in blas().info()), default=1)


@cache
def blas() -> Any:
    """The libraries of matrix products that are loaded, and their threads."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController().select(user_api="blas")
