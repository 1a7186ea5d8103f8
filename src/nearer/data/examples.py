"""Training data after reading: items, codes, scores, labels. Knows no files and draws nothing."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from nearer.data.batch import Batch, Column
from nearer.data.kinds import Kind

Modality = Literal["text", "image"]
Side = Literal["query", "document"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows that can be learned from; texts stay in Arrow until a batch asks for them.

    Attributes:
        kind: What a row is.
        names: Item columns in order: query side, document side, negatives.
        table: These columns as strings; pictures are absolute paths.
        modalities: What each column holds.
        sides: Where each column stands in a search.
        codes: Of each column, shape (rows,), int64: equal numbers for equal content; the columns
            of one side share one numbering.
        scores: Shape (rows,), float64: similarities (SCORED), a teacher's margins (NEGATIVES), or
            None.
        labels: Shape (rows,), int64: positions in `class_names`, or None.
        class_names: The classes in order of appearance; empty where there are no labels.
        source: What messages call the data.
        skipped: Rows left out because they could not be used.
        reasons: Why, for the first of them: 'line 3, column "query": empty text'.
    """

    kind: Kind
    names: tuple[str, ...]
    table: pa.Table
    modalities: tuple[Modality, ...]
    sides: tuple[Side, ...]
    codes: tuple[np.ndarray, ...]
    scores: np.ndarray | None
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    source: str
    skipped: int = 0
    reasons: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.table.num_rows)

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
        columns = tuple(
            Column(self._items(i, rows), self.sides[i], self.codes[i][rows])
            for i in range(len(self.names))
        )
        return Batch(
            rows,
            columns,
            scores=None if self.scores is None else self.scores[rows],
            labels=None if self.labels is None else self.labels[rows],
        )

    def take(self, rows: np.ndarray) -> "Examples":
        """Some rows as examples of their own, copied; codes and class names stay comparable.

        Args:
            rows: Shape (n,), int64: row numbers in the order wanted.
        """
        rows = np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            table=self.table.take(pa.array(rows)),
            codes=tuple(codes[rows] for codes in self.codes),
            scores=None if self.scores is None else self.scores[rows],
            labels=None if self.labels is None else self.labels[rows],
        )

    @cached_property
    def _chunks(self) -> list[tuple[list[pa.Array], np.ndarray]]:
        """Chunks of each column and the row at which each begins."""
        chunked = [column.chunks for column in self.table.columns]
        return [(c, np.cumsum([0, *(len(chunk) for chunk in c)])) for c in chunked]

    def _items(self, column: int, rows: np.ndarray) -> list[Any]:
        # A mapped dataset has a chunk for every thousand rows. Arrow's take looks at all of them
        # for each batch; looking up the rows one by one costs the same however many there are.
        chunks, starts = self._chunks[column]
        where = np.searchsorted(starts, rows, side="right") - 1
        inside = (rows - starts[where]).tolist()
        found = [chunks[c][i].as_py() for c, i in zip(where.tolist(), inside, strict=True)]
        # A picture is a path, not a text: its type tells the encoder.
        return [Path(item) for item in found] if self.modalities[column] == "image" else found
