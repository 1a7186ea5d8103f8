"""Imports of large libraries, without the garbage collector in the way. Names none of them."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import large libraries in a fifth less time (docs/benchmarks.md).

    Modules stay, so the collector only looks at ever more of them again and again while they come.
    It is left as it was found.

    Example:
        >>> with quick_imports():
        ...     import json
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
