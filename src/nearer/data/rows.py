"""A table that was read, and where each of its rows stands; reads no files itself."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa

from nearer.errors import DataError, SpecError

Mask = np.ndarray
"""Shape (rows,), bool: True where a row has a fault."""

FIRST = 5
"""How many faults of a kind a message shows; the rest is counted."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one file or object, in Arrow, with what messages need.

    Attributes:
        table: The columns; text files give strings only, so "007" and "NA" stay as they are.
        source: What messages call it: the path as it was given, or "list", "DataFrame", "Dataset".
        folder: Folder that relative picture paths refer to, or None (the working folder).
        first_line: First line of a CSV file, for messages about a header that is missing.
        locate: Gives the line in the file of some rows; asked only when an error needs it. None
            where rows have no lines (Parquet, objects); they are then counted from 0.
        first: Number of the first row, where the table is a piece of the data.
    """

    table: pa.Table
    source: str
    folder: Path | None = None
    first_line: str | None = None
    locate: Callable[[Sequence[int]], list[int]] | None = field(default=None, repr=False)
    first: int = 0

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def places(self, rows: Sequence[int]) -> list[str]:
        """Where these rows stand: "line 3" in a text file, "row 2" (counted from 0) elsewhere."""
        rows = [self.first + row for row in rows]
        if self.locate is None or not rows:
            return [f"row {row}" for row in rows]
        return [f"line {line}" for line in self.locate(rows)]


class BadRows:
    """Rows that cannot be used, with a reason each; gathered from all columns, told at once."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.mask: Mask = np.zeros(len(rows), dtype=bool)
        self._faults: list[tuple[Mask, str, Callable[[int], str]]] = []

    def add(self, mask: Mask, column: str, reason: Callable[[int], str]) -> None:
        """Note the rows of a mask.

        Args:
            mask: Shape (rows,), True where the row cannot be used.
            column: The column as it is called in the file.
            reason: What is wrong with a row; called for the few rows that a message shows.
        """
        if mask.any():
            self.mask |= mask
            self._faults.append((mask, column, reason))

    def __len__(self) -> int:
        return int(self.mask.sum())

    def reasons(self, most: int = FIRST) -> tuple[str, ...]:
        """The faults of the first rows in the file: 'line 3, column "query": empty text'."""
        shown = np.flatnonzero(self.mask)[:most].tolist()
        places = self.rows.places(shown)
        found = [
            f'{place}, column "{column}": {reason(row)}'
            for row, place in zip(shown, places, strict=True)
            for mask, column, reason in self._faults
            if mask[row]
        ]
        return tuple(found)

    def fault(self) -> str:
        """The message that refuses these rows."""
        lines = [f"  {reason}" for reason in self.reasons()]
        if len(self) > FIRST:
            lines.append(f"  … and {len(self) - FIRST} more rows")
        return "\n".join(
            [
                f"{self.rows.source}: {len(self)} of {len(self.rows)} rows cannot be used:",
                *lines,
                '  Mend them, or leave them out with on_bad_row="skip".',
            ]
        )


def refuse(faults: Sequence[str]) -> NoReturn:
    """Raise one DataError, or a SpecError that lists several faults."""
    if len(faults) == 1:
        raise DataError(faults[0])
    raise SpecError(faults)


def table_of(records: Sequence[Mapping[str, Any]]) -> pa.Table:
    """A table from mappings whose keys and types may differ from row to row.

    Keys that a row lacks are null. A column of mixed numbers and strings becomes strings. Paths
    become strings. Raises `pyarrow.ArrowInvalid` or `ArrowTypeError` for values Arrow has no
    type for.
    """
    names = dict.fromkeys(str(key) for record in records for key in record)
    for name in names:
        if not encodable(name):
            raise pa.ArrowInvalid(f"the name of a column, {name!r}, is no text of Unicode")
    columns = {name: _array(name, [record.get(name) for record in records]) for name in names}
    return pa.table(columns)


def _array(name: str, values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        pass
    try:
        return pa.array([_text(value) for value in values])
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise pa.ArrowInvalid(_mixed(name, values)) from error
    except UnicodeEncodeError as error:
        raise pa.ArrowInvalid(_half(name, values)) from error


def encodable(text: str) -> bool:
    """Whether a text is Unicode; half of a surrogate pair, which JSON can escape, is not.

    Example:
        >>> encodable("é"), encodable(chr(0xD800))
        (True, False)
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _half(name: str, values: list[Any]) -> str:
    texts = (row for row, v in enumerate(values) if isinstance(v, str) and not encodable(v))
    where = f", row {row}" if (row := next(texts, None)) is not None else ""
    return f'column "{name}"{where} holds half of a surrogate pair, which is no character'


def _mixed(name: str, values: list[Any]) -> str:
    """Which row of a column is of another kind than those before it, for a message."""
    kinds = {int: "number", float: "number", bool: "number", str: "text"}
    seen = [kinds.get(type(value), type(value).__name__) for value in values]
    there = [row for row, value in enumerate(values) if value is not None]
    usual = seen[there[0]]
    row = next((row for row in there if seen[row] != usual), there[0])
    before = "" if seen[row] == usual else f", where {usual} stands before"
    return f'column "{name}", row {row} holds {seen[row]}{before}'


def _text(value: Any) -> Any:
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, (bool, int, float)):
        return str(value)
    return _file_of(value) if hasattr(value, "getexif") else value


def _file_of(picture: Any) -> bytes:
    """A picture of Pillow as the bytes of a file that loses nothing."""
    file = BytesIO()
    form = "PNG" if picture.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "TIFF"
    picture.save(file, form, exif=picture.getexif())
    return file.getvalue()


def quoted(names: Iterable[str]) -> str:
    """Names as a message lists them: "a", "b"."""
    return ", ".join(f'"{name}"' for name in names)
