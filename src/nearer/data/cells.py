"""Checks of cells, column by column in Arrow: texts and numbers. Pictures: pictures.py."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.data.rows import BadRows, Mask, Rows
from nearer.errors import DataError

LONGEST = 10_000_000
"""Bytes of a cell at most; a longer one is a quote that never closed, or a whole corpus."""


def text_cells(rows: Rows, column: str, bad: BadRows, what: str = "text") -> pa.ChunkedArray:
    """A column as strings; null, empty and blank cells are noted as bad.

    Args:
        rows: The data.
        column: The column's name in the file. Whole numbers become strings ("7"), as ids and
            labels often are numbers.
        bad: Where bad rows are noted.
        what: What an empty cell lacks, for messages.

    Raises:
        DataError: The column holds something else: lists, objects, bytes.
    """
    cells = _strings(rows, column)
    # utf8_is_space is false for the empty string
    lengths = pc.binary_length(cells)
    blank = pc.or_(pc.utf8_is_space(cells), pc.equal(lengths, 0))
    bad.add(_mask(pc.fill_null(blank, True)), column, lambda row: _empty(cells, row, what))
    long = pc.fill_null(pc.greater(lengths, LONGEST), False)
    bad.add(
        _mask(long),
        column,
        lambda row: f"{what} of {lengths[row].as_py():,} bytes; at most {LONGEST:,}",
    )
    return cells


def number_cells(rows: Rows, column: str, bad: BadRows) -> np.ndarray:
    """A column as float64; cells that are no finite number are noted as bad.

    Returns:
        Shape (rows,), float64; bad rows are NaN.
    """
    cells = rows.table.column(column)
    if not _is_text(cells.type):
        try:
            numbers = _floats(pc.cast(cells, pa.float64()))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise _wrong_type(rows, column, cells.type, "numbers") from error
    else:
        cells = pc.utf8_trim_whitespace(_clean(cells))
        try:
            numbers = _floats(pc.cast(cells, pa.float64()))
        except pa.ArrowInvalid:  # says not which rows
            numbers = np.array([_number(cell) for cell in cells.to_pylist()], dtype=np.float64)

    def reason(row: int) -> str:
        value = cells[row].as_py()
        return "no number" if value in (None, "") else f'"{value}" is not a finite number'

    bad.add(~np.isfinite(numbers), column, reason)
    return numbers


def codes_of(*columns: pa.ChunkedArray) -> tuple[tuple[np.ndarray, ...], pa.Array]:
    """Number the contents of some columns: equal content has an equal number in all of them.

    Returns:
        For each column its codes, shape (rows,), int64, nulls -1; and the distinct contents, so
        that `distinct[code]` is the content. Numbers go by first appearance.
    """
    kind = pa.large_binary() if is_bytes(columns[0].type) else pa.large_string()
    wide = [pc.cast(column, kind) for column in columns]
    chunks = [chunk for column in wide for chunk in column.chunks]
    joined = pa.chunked_array(chunks, kind)
    # Faster than dictionary_encode, which leaves the dictionaries of the chunks to be unified.
    distinct = pc.drop_null(pc.unique(joined))
    found = pc.fill_null(pc.index_in(joined, value_set=distinct), -1)
    codes = found.to_numpy().astype(np.int64)
    ends = np.cumsum([len(column) for column in columns])
    return tuple(np.split(codes, ends[:-1])), distinct


def _strings(rows: Rows, column: str) -> pa.ChunkedArray:
    cells = rows.table.column(column)
    if pa.types.is_dictionary(cells.type):
        cells = pc.cast(cells, cells.type.value_type)
    if pa.types.is_floating(cells.type):  # whole numbers beside an empty cell, in pandas
        try:
            cells = pc.cast(pc.if_else(pc.is_nan(cells), None, cells), pa.int64())
        except pa.ArrowInvalid as error:
            raise _wrong_type(rows, column, cells.type, "text") from error
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        return _clean(cells)
    if not (
        _is_text(cells.type) or pa.types.is_integer(cells.type) or pa.types.is_null(cells.type)
    ):
        raise _wrong_type(rows, column, cells.type, "text")
    return pc.cast(cells, pa.string())


def _clean(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same strings with nothing under the nulls: a file may have bytes there that are none."""
    if not cells.null_count:
        return cells
    # Filled first, since a choice copies what lies under a null as well.
    filled = pc.fill_null(cells, "")
    return pc.if_else(pc.is_valid(cells), filled, pa.scalar(None, cells.type))


def _empty(cells: pa.ChunkedArray, row: int, what: str) -> str:
    return f"no {what}" if cells[row].as_py() is None else f"empty {what}"


def _mask(values: pa.ChunkedArray) -> Mask:
    return np.asarray(values.to_numpy(), dtype=bool)


def _floats(cells: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(pc.fill_null(cells, float("nan")).to_numpy(), dtype=np.float64)


def _number(cell: str | None) -> float:
    try:
        return float(cell or "nan")
    except ValueError:
        return float("nan")


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_bytes(kind: pa.DataType) -> bool:
    """Whether a column holds bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _wrong_type(rows: Rows, column: str, kind: pa.DataType, wanted: str) -> DataError:
    return DataError(f'{rows.source}: column "{column}" holds {kind}, where {wanted} must stand.')
