"""Batches made ready for the encoder, some of them ahead of the step. Embeds nothing."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from nearer.data.batch import Batch, Column
from nearer.encoder.protocol import Encoder, Prepared, PreparesNumbers, Side
from nearer.errors import DataError
from nearer.loop.shares import batch_shares, part_of
from nearer.loop.world import ALONE, World

AHEAD = 4
"""Batches that are ready or in the making while a step runs."""


def ahead(
    batches: Iterable[Batch], encoder: Encoder, world: World = ALONE, count: int = AHEAD
) -> Generator[Batch, None, None]:
    """The same batches in the same order, drawn and prepared on another thread.

    An error in drawing or preparing a batch is raised where that batch would have come. Where the
    generator is closed early, as a `for` does that is left, the thread ends with the batch that it
    is at. Encoders that do not say that they may prepare ahead (a function of the user's may
    draw random numbers) get their batches as they are, on the calling thread.

    Args:
        batches: Where they come from; must draw on random numbers of its own only.
        encoder: Who prepares them.
        world: The processes that share each batch; only the rows of this one are prepared.
        count: Most batches ahead.
    """
    source = iter(batches)
    if not getattr(encoder, "prepares_ahead", False):
        yield from source
        return

    def one() -> Batch | None:
        batch = next(source, None)
        return None if batch is None else _with_prepared(encoder, batch, world)

    pool = ThreadPoolExecutor(1, "nearer-ahead")
    try:
        coming: deque[Future[Batch | None]] = deque(pool.submit(one) for _ in range(count))
        while (batch := coming.popleft().result()) is not None:
            coming.append(pool.submit(one))
            yield batch
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def prepared(encoder: Encoder, batch: Batch, side: Side) -> Prepared:
    """The items of one side, column after column, ready for the encoder.

    They were prepared ahead, or are found by the numbers of their texts, or are prepared now.
    """
    if side in batch.prepared:
        found: Prepared = batch.prepared[side]
        return found
    columns = [column for column in batch.columns if column.side == side]
    texts = columns[0].texts
    if texts is not None and isinstance(encoder, PreparesNumbers):
        numbers = np.concatenate([column.codes for column in columns])
        known = encoder.prepare_numbers(texts, numbers, side)
        if known is not None:
            return known
    try:
        return encoder.prepare([item for column in columns for item in column.items], side)
    except (DataError, OSError) as error:  # such as a picture that was deleted in the meantime
        raise _with_row(error, encoder, batch, columns, side) from error


def _with_row(
    error: DataError | OSError, encoder: Encoder, batch: Batch, columns: list[Column], side: Side
) -> Exception:
    """The error with the first row that cannot be prepared; as it came if each of them can."""
    for column in columns:
        for row, item in zip(batch.rows.tolist(), column.items, strict=True):
            try:
                encoder.prepare([item], side)
            except (DataError, OSError) as found:
                place = f"row {row} (counted from 0, of the rows that are used)"
                return DataError(f"{place}: {found}; mend it and resume, or leave the row out")
    return error


def _with_prepared(encoder: Encoder, batch: Batch, world: World) -> Batch:
    own = batch
    if world.size > 1:
        own = part_of(batch, batch_shares(batch, world.size)[world.rank])
        if not len(own):
            return batch
    sides = dict.fromkeys(column.side for column in batch.columns)
    return replace(batch, prepared={side: prepared(encoder, own, side) for side in sides})
