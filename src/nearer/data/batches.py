"""Which rows stand together in a batch, drawn at random. Classes: class_batches.py."""

from collections.abc import Iterator

import numpy as np

from nearer.data.batch import Batch
from nearer.data.examples import Examples
from nearer.errors import SpecError


class RandomBatches:
    """Batches drawn at random; every row stands in exactly one batch of an epoch.

    An epoch depends on the seed and its number only, so any epoch can be drawn again without
    those before it. The last batch may be shorter; a single row left over joins the batch before
    it, as a row alone has no in-batch negatives.

    Args:
        examples: The rows.
        batch_size: Rows in a batch, at least 1.
        seed: 0 or more.

    Attributes:
        adjusted: What was changed in the request, to warn with, or None.
    """

    def __init__(self, examples: Examples, batch_size: int, seed: int) -> None:
        self.adjusted = check_batch_size(examples, batch_size)
        self._examples = examples
        self._bounds = bounds(len(examples), batch_size)
        self._seed = seed

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch.

        Args:
            number: 1, 2, …; the same number gives the same batches.
            start: Batches to leave out at the beginning, at no cost (for a resume).
        """
        order = shuffled(generator(self._seed, number), len(self._examples))
        return _batches(self._examples, order, self._bounds, start)


class FixedBatches:
    """The same batches each time, for validation.

    The rows are shuffled once: in a file, rows of one class or one query often lie together, and
    a loss on such batches would not compare with that of training.

    Args:
        examples: The rows.
        batch_size: Rows in a batch, at least 1.

    Attributes:
        adjusted: What was changed in the request, to warn with, or None.
    """

    def __init__(self, examples: Examples, batch_size: int) -> None:
        self.adjusted = check_batch_size(examples, batch_size)
        self._examples = examples
        self._bounds = bounds(len(examples), batch_size)
        self._order = shuffled(generator(0, 0), len(examples))

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches, the same for any number; `start` of them are left out at the beginning."""
        return _batches(self._examples, self._order, self._bounds, start)


def generator(seed: int, epoch: int) -> np.random.Generator:
    """The random numbers of one epoch, independent of those of every other."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(epoch,))))


def shuffled(random: np.random.Generator, rows: int) -> np.ndarray:
    """The numbers 0 … rows - 1 in the order that `random.permutation(rows)` gives.

    Four bytes a row where they can hold it: 40 MB for ten million.
    """
    numbers = np.arange(rows, dtype=np.int32 if rows < 2**31 else np.int64)
    random.shuffle(numbers)
    return numbers


def check_batch_size(examples: Examples, batch_size: int) -> str | None:
    """A message if the batch size is larger than the data, else None; refuses less than 1."""
    if batch_size < 1:
        raise SpecError([f"batch_size: {batch_size} is too small; a batch has at least 1 row."])
    if batch_size > len(examples):
        return (
            f"batch_size {batch_size} is more than the {len(examples)} rows of "
            f"{examples.source}; all rows stand in one batch."
        )
    return None


def bounds(rows: int, batch_size: int) -> np.ndarray:
    """Where batches begin and end, shape (batches + 1,), int64."""
    ends = np.append(np.arange(0, rows, batch_size), rows)
    if batch_size > 1 and len(ends) > 2 and rows % batch_size == 1:
        ends = np.delete(ends, -2)
    return ends


def _batches(
    examples: Examples, order: np.ndarray, ends: np.ndarray, start: int
) -> Iterator[Batch]:
    for first, last in zip(ends[start:-1], ends[start + 1 :], strict=True):
        yield examples.batch(order[first:last])
