"""Memory that is freed stays with the process while it computes. Allocates nothing itself."""

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
"""Numbers of glibc's malloc.h."""

LARGEST_DYNAMIC = 32 << 20
"""Where glibc's own adjustment of the threshold ends; any setting switches that adjustment off."""

DEFAULT_MAPPINGS = 65536

_lock = threading.Lock()
_inside = 0


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep what is freed for what is allocated next; give it back at the end.

    glibc maps each block above 32 MiB anew and unmaps it when it is freed, so the system clears the
    same pages again and again: for a picture model that is more than half of the time
    (docs/benchmarks.md). Within this context large blocks come from the heap, and the heap does not
    shrink. Contexts may be nested and may overlap in threads; the outermost one gives back. Does
    nothing where there is no glibc.
    https://sourceware.org/glibc/manual/latest/html_node/Malloc-Tunable-Parameters.html

    Example:
        >>> import numpy as np
        >>> with memory_kept():
        ...     total = np.ones(1000).sum()
    """
    global _inside
    tune = _tuner()
    if tune is None:
        yield
        return
    with _lock:
        _inside += 1
        if _inside == 1:
            tune.option(M_MMAP_MAX, 0)
            tune.option(M_TRIM_THRESHOLD, -1)  # as unsigned: never
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                tune.option(M_MMAP_MAX, DEFAULT_MAPPINGS)
                tune.option(M_MMAP_THRESHOLD, LARGEST_DYNAMIC)
                tune.option(M_TRIM_THRESHOLD, 2 * LARGEST_DYNAMIC)
                tune.trim(0)


class _Tuner:
    """The two functions of glibc."""

    def __init__(self, option: Callable[[int, int], int], trim: Callable[[int], int]) -> None:
        self.option, self.trim = option, trim


@cache
def _tuner() -> _Tuner | None:
    """Functions of glibc; None on another system, or with another C library."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    if not all(
        hasattr(library, name) for name in ("gnu_get_libc_version", "mallopt", "malloc_trim")
    ):
        return None
    library.mallopt.argtypes = [ctypes.c_int, ctypes.c_int]
    library.malloc_trim.argtypes = [ctypes.c_size_t]
    return _Tuner(library.mallopt, library.malloc_trim)
