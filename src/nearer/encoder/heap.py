"""Whether memory that is freed stays with the process while it computes. Allocates nothing."""

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import _GeneratorContextManager, contextmanager
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
"""Numbers of glibc's malloc.h."""

LARGEST_DYNAMIC = 32 << 20
"""Where glibc's own adjustment of the threshold ends; any setting switches that adjustment off."""

LARGE = 1 << 20
"""Blocks from this size on are mapped, and unmapped when they are freed, if memory is returned."""

DEFAULT_MAPPINGS = 65536

_lock = threading.Lock()
_inside = 0


def memory_kept() -> _GeneratorContextManager[None]:
    """Keep what is freed for what is allocated next; give it back at the end.

    glibc maps each block above 32 MiB anew and unmaps it when it is freed, so the system clears the
    same pages again and again: for a picture model that is more than half of the time
    (docs/benchmarks.md). Within this context large blocks come from the heap, and the heap does not
    shrink. Contexts may be nested and may overlap in threads; the outermost one decides, and gives
    back. Does nothing where there is no glibc.
    https://sourceware.org/glibc/manual/latest/html_node/Malloc-Tunable-Parameters.html

    Example:
        >>> import numpy as np
        >>> with memory_kept():
        ...     total = np.ones(1000).sum()
    """
    return _tuned((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1))  # as unsigned: never


def memory_returned() -> _GeneratorContextManager[None]:
    """Give back what is freed at once, also where a `memory_kept` within it would not.

    For models that are split: weights that come and go leave holes in the heap that nothing fits
    into, and twice what is in use would be held (docs/scaling.md).
    """
    return _tuned((M_MMAP_THRESHOLD, LARGE))


@contextmanager
def _tuned(*options: tuple[int, int]) -> Iterator[None]:
    global _inside
    tune = _tuner()
    if tune is None:
        yield
        return
    with _lock:
        _inside += 1
        if _inside == 1:
            for option in options:
                tune.option(*option)
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
