"""Which items are embedded together: groups of like length, chosen so that little is padded."""

import numpy as np

OVERHEAD = 64
"""What a group costs beside its tokens, in tokens (docs/benchmarks.md)."""


def like_lengths(
    lengths: np.ndarray, most: int | None = None, budget: int = 4096, overhead: int = OVERHEAD
) -> list[np.ndarray]:
    """Split items into groups of like length so that padding and overhead together are least.

    The items are sorted by length; where to cut is chosen by dynamic programming over the lengths
    that occur. A group costs its items times its longest, and `overhead`. A stretch that is too
    large for one group is cut into groups of the same number of items.

    Args:
        lengths: Shape (n,), tokens of each item.
        most: Most items of a group; None for no limit but the budget.
        budget: Most tokens of a group, padding included; a single longer item is a group by itself.
        overhead: Cost of a group beside its tokens, in tokens.

    Returns:
        Integer arrays that together hold 0 … n-1 once each, the longest items first.

    Example:
        >>> [g.tolist() for g in like_lengths(np.array([3, 90, 4, 88]), overhead=5)]
        [[1, 3], [2, 0]]
    """
    order = np.argsort(-lengths, kind="stable")
    tokens = np.maximum(1, lengths[order]).astype(np.int64)
    starts = np.flatnonzero(np.diff(tokens, prepend=-1))  # of each length that occurs
    ends = np.append(starts[1:], len(tokens))
    best = np.zeros(len(starts) + 1)
    cut = np.zeros(len(starts), dtype=np.int64)
    # best[i]: least cost of all items from the i-th length on.
    for i in range(len(starts) - 1, -1, -1):
        longest = int(tokens[starts[i]])
        count = ends[i:] - starts[i]
        groups = -(-count // _fits(longest, most, budget))
        costs = longest * count + overhead * groups + best[i + 1 :]
        cut[i] = int(np.argmin(costs))
        best[i] = costs[cut[i]]
    found: list[np.ndarray] = []
    i = 0
    while i < len(starts):
        stretch = order[starts[i] : ends[i + cut[i]]]
        groups = -(-len(stretch) // _fits(int(tokens[starts[i]]), most, budget))
        found += np.array_split(stretch, groups)
        i += int(cut[i]) + 1
    return found


def filled_up(lengths: np.ndarray, most: int | None = None, budget: int = 4096) -> list[np.ndarray]:
    """Split items that need no padding into few groups of about the same size.

    Args:
        lengths: Shape (n,), tokens of each item.
        most: Most items of a group; None for no limit but the budget.
        budget: Most tokens of a group; a single longer item is a group by itself.

    Returns:
        Integer arrays that together hold 0 … n-1 once each, the longest items first.

    Example:
        >>> [g.tolist() for g in filled_up(np.array([3, 90, 4, 88]), budget=100)]
        [[1], [3, 2, 0]]
    """
    order = np.argsort(-lengths, kind="stable")
    fair = min(budget, -(-int(lengths.sum()) // max(1, -(-int(lengths.sum()) // budget))))
    found: list[np.ndarray] = []
    start = total = 0
    for place, tokens in enumerate(lengths[order].tolist()):
        full = place > start and (total + tokens > budget or total >= fair)
        if full or (most and place - start == most):
            found.append(order[start:place])
            start, total = place, 0
        total += tokens
    return [*found, order[start:]] if len(order) else found


def padded(lengths: np.ndarray, groups: list[np.ndarray]) -> list[int]:
    """Tokens of each group, padding included."""
    return [len(group) * max(1, int(lengths[group].max())) for group in groups]


def _fits(longest: int, most: int | None, budget: int) -> int:
    size = max(1, budget // longest)
    return min(size, most) if most else size
