"""Faults in the arguments of callbacks, as lines of a SpecError; knows no callback."""

import math
from typing import Any


def number_faults(option: str, value: Any, least: float | None = None) -> list[str]:
    """A fault unless the value is a finite number, and not too small.

    Args:
        option: "EarlyStopping.patience".
        value: What was given. Where `least` is an int, a whole number is wanted.
        least: Smallest number that may be given; None for any.

    Example:
        >>> number_faults("EarlyStopping.patience", 0, 1)
        ['EarlyStopping.patience: 0; must be at least 1']
        >>> number_faults("EarlyStopping.patience", "two", 1)
        ["EarlyStopping.patience: 'two'; must be a whole number"]
    """
    whole = isinstance(least, int)
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not fits:
        return [f"{option}: {value!r}; must be a {'whole ' if whole else ''}number"]
    if not math.isfinite(value):
        return [f"{option}: {value!r}; must be a finite number"]
    if least is not None and value < least:
        return [f"{option}: {value}; must be at least {least:g}"]
    return []
