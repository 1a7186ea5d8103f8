"""The memory budget of an evaluation as a user writes it, in bytes."""

from nearer.encoder.sizes import parse_size

LEAST = 1 << 20
"""Bytes below which a budget is taken for a slip of the pen: `20` for `20GiB`."""


def memory_bytes(budget: int | str, option: str = "memory_budget") -> int:
    """Read a memory budget: "1GiB", "512MB", "2g", or a number of bytes.

    Args:
        budget: What the user gave.
        option: What the message calls it.

    Raises:
        UsageError: It is no size, or too small to search in.

    Example:
        >>> memory_bytes("1GiB"), memory_bytes("512MB"), memory_bytes(2_000_000)
        (1073741824, 512000000, 2000000)
    """
    return parse_size(budget, option, LEAST)
