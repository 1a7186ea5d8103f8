"""Imports of large libraries, without the garbage collector in the way. Names none of them."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 100
"""Modules that have to come for the collector to be told of them."""

_own_process = False


def process_is_ours() -> None:
    """Say that this process is a command's own: nothing in it is anybody else's.

    What large libraries leave behind is then never looked at by the collector again.
    """
    global _own_process
    _own_process = True


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import large libraries in less time (docs/benchmarks.md).

    Modules stay, so the collector would look at ever more of them again and again and find nothing.
    Here it rests meanwhile, and takes what came for old, so that it looks at it seldom; in a
    process that is ours never. What was collected before is collected after, and where somebody
    has used `gc.freeze` nothing is moved.

    Example:
        >>> with quick_imports():
        ...     import json
    """
    enabled, before = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) - before >= MANY and not gc.get_freeze_count():
            gc.freeze()
            if not _own_process:
                gc.unfreeze()  # to the oldest generation, without a look at it
        if enabled:
            gc.enable()
