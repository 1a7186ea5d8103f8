"""Batches whose pictures are views: drawn anew for each epoch and row. Draws nothing itself."""

from collections.abc import Iterator
from dataclasses import replace

from nearer.data.batch import Batch, BatchSource
from nearer.data.contents import Items
from nearer.encoder.augmentation import Augmentation, read_augmentation
from nearer.encoder.views import View
from nearer.run.door import Plan


class AugmentedBatches:
    """The batches of a source, with a view in the place of each picture.

    A view depends on the seed, the epoch and the row, so an epoch can be drawn again from any of
    its batches, on any number of threads.

    Args:
        source: The batches.
        modalities: What each column holds.
        how: What may be done to pictures.
        seed: 0 or more.
    """

    def __init__(
        self, source: BatchSource, modalities: tuple[str, ...], how: Augmentation, seed: int
    ) -> None:
        self._source, self._modalities, self._how, self._seed = source, modalities, how, seed

    def __len__(self) -> int:
        return len(self._source)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch without the first `start`."""
        for batch in self._source.epoch(number, start):
            columns = tuple(
                replace(column, items=self._views(batch, i, number)) if kind == "image" else column
                for i, (column, kind) in enumerate(
                    zip(batch.columns, self._modalities, strict=True)
                )
            )
            yield replace(batch, columns=columns)

    def _views(self, batch: Batch, column: int, epoch: int) -> Items:
        def read() -> list[View]:
            pictures = zip(batch.columns[column].items, batch.rows.tolist(), strict=True)
            return [View(item, (self._seed, epoch, row), self._how) for item, row in pictures]

        return Items(read, len(batch))


def augmentation_of(plan: Plan) -> Augmentation | None:
    """What is done to the pictures of a run; None where they are taken as they are.

    Without being asked for it is done to labelled pictures whose backbone learns, but not where a
    module of the user's own prepares them.
    """
    spec = plan.spec
    if "image" not in plan.train.modalities:
        return None
    if spec.augment is not None:
        return read_augmentation(spec.augment)
    wanted = plan.kind == "labelled" and spec.freeze not in ("backbone", "index")
    return Augmentation() if wanted and not spec.prepares_itself else None
