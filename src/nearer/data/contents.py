"""What all selections of some rows share: the texts in Arrow and their codes. Selects nothing."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from nearer.data.fingerprint import fingerprint

Side = Literal["query", "document"]


class Contents:
    """The rows as they were read; training and held-out rows may both be parts of them.

    Args:
        table: Item columns as strings, in memory or mapped from a file.
        sides: Where each column stands in a search.
        codes: Of each column, shape (rows,), whole numbers: equal ones for equal content; the
            columns of one side share one numbering, by first appearance, column after column.
        known: The fingerprint of the table where it is known already.
    """

    def __init__(
        self,
        table: pa.Table,
        sides: tuple[Side, ...],
        codes: tuple[np.ndarray, ...],
        known: str | None = None,
    ) -> None:
        self.table, self.sides, self.codes = table, sides, codes
        self._known = known
        self.distinct = {side: DistinctTexts(self, side) for side in dict.fromkeys(sides)}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def fingerprint(self) -> str:
        """Names the contents, as `nearer.data.fingerprint` does."""
        return self._known or fingerprint(self.table)

    def items(self, column: int, rows: np.ndarray) -> list[Any]:
        """The cells of some rows of a column."""
        # A mapped dataset has a chunk for every thousand rows. Arrow's take looks at all of them
        # for each batch; looking up the rows one by one costs the same however many there are.
        chunks, starts = self._chunks[column]
        where = np.searchsorted(starts, rows, side="right") - 1
        inside = (rows - starts[where]).tolist()
        return [chunks[c][i].as_py() for c, i in zip(where.tolist(), inside, strict=True)]

    @cached_property
    def _chunks(self) -> list[tuple[list[pa.Array], np.ndarray]]:
        """Chunks of each column and the row at which each begins."""
        chunked = [column.chunks for column in self.table.columns]
        return [(c, np.cumsum([0, *(len(chunk) for chunk in c)])) for c in chunked]


class DistinctTexts:
    """The different contents of one side, each once, in the order of their codes.

    Args:
        contents: All rows.
        side: The side.
    """

    def __init__(self, contents: Contents, side: Side) -> None:
        self._contents, self.side = contents, side

    @property
    def key(self) -> str:
        """Names these texts and their order by what they are."""
        return f"{self._contents.fingerprint} {self.side} {' '.join(self._contents.sides)}"

    @cached_property
    def count(self) -> int:
        """How many there are."""
        return max(int(codes.max()) + 1 for _, codes in self._columns())

    def pieces(self, size: int = 4096) -> Iterator[list[str]]:
        """The texts, up to `size` at a time, so that they are never all in memory."""
        seen = 0
        for column, codes in self._columns():
            start = 0
            for chunk in column.chunks:
                for low in range(0, len(chunk), size):
                    piece = chunk.slice(low, size)
                    numbers = codes[start + low : start + low + len(piece)]
                    # Numbers go by first appearance, so a new one is above all those before it.
                    before = np.maximum.accumulate(np.concatenate([[seen - 1], numbers]))
                    fresh = numbers > before[:-1]
                    seen = int(before[-1]) + 1
                    if fresh.any():
                        yield piece.filter(pa.array(fresh)).to_pylist()
                start += len(chunk)

    def _columns(self) -> Iterator[tuple[pa.ChunkedArray, np.ndarray]]:
        whole = self._contents
        for i, side in enumerate(whole.sides):
            if side == self.side:
                yield whole.table.column(i), whole.codes[i]


class Items(Sequence[Any]):
    """Cells of some rows, read when they are first looked at: tokens may do in their place.

    Args:
        read: Gives them.
        count: How many there are.
    """

    def __init__(self, read: Any, count: int) -> None:
        self._read, self._count = read, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        return self._list[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._list)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Sequence) and not isinstance(other, str):
            return self._list == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def _list(self) -> list[Any]:
        found: list[Any] = self._read()
        return found
