"""Training data after reading: items, codes, scores, labels. Knows no files and draws nothing."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import sha256
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from nearer.data.batch import Batch, Column
from nearer.data.contents import Contents, Items, Side
from nearer.data.kinds import Kind
from nearer.data.pictures import picture_items

__all__ = ["Examples", "Modality", "Side"]

Modality = Literal["text", "image"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows that can be learned from; texts stay in Arrow until a batch asks for them.

    Attributes:
        kind: What a row is.
        names: Item columns in order: query side, document side, negatives.
        contents: These columns of all rows, with codes: texts, and pictures as absolute paths or
            as bytes.
        modalities: What each column holds.
        scores: Shape (rows,), float64: similarities (SCORED), a teacher's margins (NEGATIVES), or
            None.
        labels: Shape (rows,), int64: positions in `class_names`, or None.
        class_names: The classes in order of appearance; empty where there are no labels.
        source: What messages call the data.
        skipped: Rows left out because they could not be used.
        reasons: Why, for the first of them: 'line 3, column "query": empty text'.
        chosen: Shape (rows,): which rows of the contents these are, in this order; None for all.
    """

    kind: Kind
    names: tuple[str, ...]
    contents: Contents
    modalities: tuple[Modality, ...]
    scores: np.ndarray | None
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    source: str
    skipped: int = 0
    reasons: tuple[str, ...] = ()
    chosen: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.contents) if self.chosen is None else len(self.chosen)

    @property
    def sides(self) -> tuple[Side, ...]:
        """Where each column stands in a search."""
        return self.contents.sides

    @cached_property
    def table(self) -> pa.Table:
        """The items as a table; of chosen rows a copy, made when it is first asked for."""
        whole = self.contents.table
        return whole if self.chosen is None else whole.take(pa.array(self.chosen))

    @cached_property
    def codes(self) -> tuple[np.ndarray, ...]:
        """Of each column, shape (rows,): equal numbers for equal content.

        The columns of one side share one numbering, and so do all selections of the same rows.
        """
        whole = self.contents.codes
        return whole if self.chosen is None else tuple(codes[self.chosen] for codes in whole)

    @cached_property
    def fingerprint(self) -> str:
        """Names contents and order of the rows, so that a change is noticed."""
        whole = self.contents.fingerprint
        if self.chosen is None:
            return whole
        return sha256(whole.encode() + self.chosen.astype("<i8").tobytes()).hexdigest()

    @property
    def lone_classes(self) -> int:
        """Classes with a single item: nothing in them can come nearer. 0 without labels."""
        return 0 if self.labels is None else int((np.bincount(self.labels) == 1).sum())

    def batch(self, rows: np.ndarray) -> Batch:
        """The items of some rows, in the order given; a row may stand twice.

        Args:
            rows: Shape (B,), int64: row numbers, 0 to len - 1.
        """
        rows = np.asarray(rows, dtype=np.int64)
        inside = rows if self.chosen is None else self.chosen[rows]
        columns = tuple(
            Column(
                Items(partial(self._items, i, inside), len(rows)),
                side,
                codes[inside].astype(np.int64),
                self.contents.distinct[side] if self.modalities[i] == "text" else None,
            )
            for i, (side, codes) in enumerate(zip(self.sides, self.contents.codes, strict=True))
        )
        return Batch(
            rows,
            columns,
            scores=None if self.scores is None else self.scores[rows],
            labels=None if self.labels is None else self.labels[rows],
        )

    def take(self, rows: np.ndarray) -> "Examples":
        """Some rows as examples of their own; codes and class names stay comparable.

        No text is copied: a selection costs numbers only.

        Args:
            rows: Shape (n,), int64: row numbers in the order wanted.
        """
        rows = np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            chosen=rows if self.chosen is None else self.chosen[rows],
            scores=None if self.scores is None else self.scores[rows],
            labels=None if self.labels is None else self.labels[rows],
        )

    def _items(self, column: int, rows: np.ndarray) -> list[Any]:
        found = self.contents.items(column, rows)
        return picture_items(found) if self.modalities[column] == "image" else found
