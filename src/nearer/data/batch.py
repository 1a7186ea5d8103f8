"""What one step of training is made of: the items of some rows, not yet embedded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np


@dataclass(frozen=True)
class Column:
    """The items of one column in one batch.

    Attributes:
        items: Texts (str) or pictures (paths), one for each row.
        side: Whether they stand on the query or the document side of a search.
        codes: Shape (B,), int64: equal numbers for equal content; the columns of one side share
            one numbering, so a negative can be recognised as some other row's document.
        texts: What the codes number, for an encoder that has tokenised them all; None where they
            number pictures, or this batch alone.
    """

    items: Sequence[Any]
    side: Literal["query", "document"]
    codes: np.ndarray
    texts: object | None = None


@dataclass(frozen=True)
class Batch:
    """Some rows of the training data.

    Attributes:
        rows: Shape (B,), int64: row numbers in the data.
        columns: Query first, then document, then negatives; labelled data has one column.
        scores: Shape (B,), float64, or None.
        labels: Shape (B,), int64, or None.
        prepared: By side, what the encoder made of its columns' items ahead of the step; empty
            where nothing was.
    """

    rows: np.ndarray
    columns: tuple[Column, ...]
    scores: np.ndarray | None = None
    labels: np.ndarray | None = None
    prepared: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)


class BatchSource(Protocol):
    """Where the loop gets its batches from."""

    def __len__(self) -> int:
        """Batches in an epoch."""

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (1, 2, …) without the first `start`; the same at every call."""
