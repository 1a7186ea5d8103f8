"""Batches of some classes with some items each, for losses that learn from labels."""

from collections.abc import Iterator

import numpy as np

from nearer.data.batch import Batch
from nearer.data.batches import check_batch_size, generator
from nearer.data.examples import Examples
from nearer.errors import SpecError


class ClassBatches:
    """Every batch has P different classes with K items each; every row is seen in every epoch.

    A class whose rows do not fill its last K items is filled from its other rows. Where one class
    is much larger than the rest, the others are drawn again beside it, so that no batch is short
    of classes. An epoch depends on the seed and its number only.

    Args:
        examples: Labelled rows.
        batch_size: Rows in a batch; P is as many classes as fit.
        seed: 0 or more.
        items_per_class: K. Lowered where fewer than two classes would fit in a batch, raised
            where the data has too few classes to fill it.

    Attributes:
        classes_per_batch: P as it is used.
        items_per_class: K as it is used.
        adjusted: What was changed in the request, to warn with, or None.

    Raises:
        SpecError: The rows have no labels, or a number is less than 1.
    """

    def __init__(
        self, examples: Examples, batch_size: int, seed: int, items_per_class: int = 4
    ) -> None:
        if examples.labels is None:
            raise SpecError([f"{examples.source}: batches of classes take data with labels."])
        if items_per_class < 1:
            raise SpecError([f"items_per_class: {items_per_class} is too small; at least 1."])
        check_batch_size(examples, batch_size)
        self._examples = examples
        self._seed = seed
        sizes = np.bincount(examples.labels)
        self._classes = np.flatnonzero(sizes)  # after a split a class may have no row
        self._sizes = sizes[self._classes]
        self.classes_per_batch, self.items_per_class = _shape(
            self._sizes, batch_size, items_per_class
        )
        self._groups = -(-self._sizes // self.items_per_class)
        most = -(-int(self._groups.sum()) // self.classes_per_batch)
        self._length = max(most, int(self._groups.max()))
        self.adjusted = self._adjustment(batch_size, items_per_class)

    def __len__(self) -> int:
        return self._length

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch.

        Args:
            number: 1, 2, …; the same number gives the same batches.
            start: Batches to leave out at the beginning (for a resume).
        """
        for rows in self._plan(generator(self._seed, number))[start:]:
            yield self._examples.batch(rows)

    def _plan(self, random: np.random.Generator) -> np.ndarray:
        """The rows of all batches, shape (batches, P * K)."""
        groups = self._grouped(random)
        left = self._groups.copy()
        plan = np.empty((len(self), self.classes_per_batch, self.items_per_class), dtype=np.int64)
        for number in range(len(self)):
            for place, c in enumerate(self._draw(left, len(self) - number, random)):
                if left[c]:
                    left[c] -= 1
                    plan[number, place] = groups[c][left[c]]
                else:  # this class has been seen in full; some of its rows come again
                    rows = groups[c].ravel()[: self._sizes[c]]
                    plan[number, place] = np.resize(random.permutation(rows), self.items_per_class)
        return plan.reshape(len(self), -1)

    def _draw(self, left: np.ndarray, batches: int, random: np.random.Generator) -> np.ndarray:
        """P different classes, likelier the more groups they have left.

        A class with as many groups left as there are batches must be taken now, or its rows would
        not all be seen; there are never more than P of those. Classes with none left come last.
        """
        with np.errstate(divide="ignore"):
            key = random.exponential(size=len(left)) / left
        key[left == batches] = -1.0
        done = left == 0
        key[done] = np.finfo(np.float64).max * random.random(int(done.sum()))
        if self.classes_per_batch == len(left):
            return random.permutation(len(left))
        return np.argpartition(key, self.classes_per_batch - 1)[: self.classes_per_batch]

    def _grouped(self, random: np.random.Generator) -> list[np.ndarray]:
        """For each class its rows, shuffled, in groups of K: shape (groups, K)."""
        labels = self._examples.labels
        assert labels is not None
        order = random.permutation(len(labels))
        order = order[np.argsort(labels[order], kind="stable")]
        # Going round from the start again fills the last group with rows that it does not hold.
        return [
            np.resize(rows, (groups, self.items_per_class))
            for rows, groups in zip(
                np.split(order, np.cumsum(self._sizes)[:-1]), self._groups.tolist(), strict=True
            )
        ]

    def _adjustment(self, batch_size: int, items_per_class: int) -> str | None:
        classes, items = self.classes_per_batch, self.items_per_class
        if items == items_per_class and classes * items == batch_size:
            return None
        return (
            f"batch_size {batch_size} with {items_per_class} items per class cannot be met with "
            f"the {len(self._sizes)} classes of {self._examples.source}: batches have {classes} "
            f"classes x {items} items = {classes * items} rows."
        )


def _shape(sizes: np.ndarray, batch_size: int, items: int) -> tuple[int, int]:
    """P and K as the data allows.

    At least two of both: a class alone has no negatives, and an item alone no positive.
    """
    batch_size = max(batch_size, 4)
    items = min(items, batch_size // 2)
    classes = min(batch_size // items, len(sizes))
    if classes == len(sizes):
        # All classes are in the batch and there is room: more items, but none twice for that.
        items = max(items, min(batch_size // classes, int(sizes.max())))
    return classes, items
