"""Which rows of a batch are whose: every process embeds a part, and all see the whole after.

The batch is drawn alike in every process, from the seed; nothing is sent for that.
"""

import numpy as np
import torch
from torch import Tensor

from nearer.data.batch import Batch, Column
from nearer.loop.world import World

FIXED, MOST = 20, 2_000
"""Characters that a row costs beside its text, and beyond which it is cut anyway."""


def shares(costs: np.ndarray, size: int) -> list[np.ndarray]:
    """Deal rows to processes so that each gets as many, and about as much to do.

    The costliest are dealt first, to and fro: 0, 1, 1, 0, 0, 1, …

    Args:
        costs: Shape (rows,).
        size: How many processes.

    Returns:
        For each its rows, rising; together every row once. With fewer rows than processes some
        have none.

    Example:
        >>> [rows.tolist() for rows in shares(np.array([9, 1, 8, 2]), 2)]
        [[0, 1], [2, 3]]
    """
    order = np.argsort(-costs, kind="stable")
    place = np.arange(len(order)) % (2 * size)
    whose = np.minimum(place, 2 * size - 1 - place)
    return [np.sort(order[whose == rank]) for rank in range(size)]


def batch_shares(batch: Batch, size: int) -> list[np.ndarray]:
    """Deal the rows of a batch by the length of their texts; pictures cost the same."""
    costs = np.zeros(len(batch), dtype=np.int64)
    for column in batch.columns:
        costs += [
            FIXED + min(len(item), MOST) if isinstance(item, str) else FIXED
            for item in column.items
        ]
    return shares(costs, size)


def part_of(batch: Batch, rows: np.ndarray) -> Batch:
    """Some rows of a batch, as a batch; what was made ready ahead is taken to be of these rows."""
    chosen = rows.tolist()
    columns = tuple(
        Column([column.items[i] for i in chosen], column.side, column.codes[rows], column.texts)
        for column in batch.columns
    )
    return Batch(
        batch.rows[rows],
        columns,
        None if batch.scores is None else batch.scores[rows],
        None if batch.labels is None else batch.labels[rows],
        batch.prepared,
    )


def gather_columns(world: World, columns: list[Tensor], rows: list[np.ndarray]) -> list[Tensor]:
    """Put the embedded columns of all processes together: one exchange for all of them.

    Args:
        world: The processes.
        columns: Those of this process's rows, each of shape (rows, dimension).
        rows: Whose rows are which; see `shares`.
    """
    if world.size == 1:
        return columns
    return list(world.gather(torch.stack(columns, dim=1), rows).unbind(dim=1))
