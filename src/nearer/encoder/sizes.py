"""Sizes in bytes as people write them: "1GiB", "512 MB", 4096. Nothing else."""

import re

from nearer.errors import UsageError

UNITS = {
    "": 1,
    "b": 1,
    **{name: 1000**power for power, name in enumerate(("kb", "mb", "gb", "tb"), 1)},
    **{name: 1024**power for power, name in enumerate(("kib", "mib", "gib", "tib"), 1)},
    **{name: 1024**power for power, name in enumerate(("k", "m", "g", "t"), 1)},
}


def parse_size(text: str | int, option: str, least: int = 0) -> int:
    """Read a size.

    Args:
        text: A number with or without a unit; "GB" is 10^9 bytes, "GiB" and "G" are 2^30.
        option: What it is for, for the message.
        least: Smallest number of bytes that makes sense.

    Raises:
        UsageError: It is not a size, or too small.

    Example:
        >>> parse_size("1.5GiB", "memory_budget"), parse_size("2 kb", "memory_budget")
        (1610612736, 2000)
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", str(text).strip().lower())
    if isinstance(text, bool) or found is None or found[2] not in UNITS:
        raise UsageError(
            f'{option} is {text!r}; give a number of bytes with a unit, like "512MiB" or "1GiB"'
        )
    size = int(float(found[1]) * UNITS[found[2]])
    if size < least:
        raise UsageError(f"{option} is {text!r}; it must be at least {in_words(least)}")
    return size


def in_words(size: float) -> str:
    """A size for people to read.

    Example:
        >>> in_words(3 * 2**20)
        '3.0 MiB'
    """
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
