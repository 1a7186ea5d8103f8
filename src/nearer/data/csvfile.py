"""CSV and TSV to Arrow strings. Knows no columns by name, and opens no files."""

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from nearer.data.rows import FIRST, quoted, refuse
from nearer.data.textfile import encoding_fault
from nearer.errors import DataError

_BLOCK = 1 << 22


def parse_csv(buffer: pa.Buffer, delimiter: str | None, source: str) -> tuple[pa.Table, str]:
    """The table and the first line of a CSV file whose first line names the columns.

    Every cell is a string, nothing is guessed: "007" and "NA" stay as they are and an empty cell
    is an empty string. Quoted fields may hold commas, quotes and line breaks; lines that are
    wholly empty are passed over.

    Args:
        buffer: UTF-8 bytes.
        delimiter: "," or a tab; None takes a comma unless the first line has none but has a
            semicolon or a tab.
        source: What messages call the file.

    Raises:
        DataError: A line with too many or too few columns, a quote that never closes, a byte that
            is not UTF-8, two columns of one name.
    """
    first_line = _first_line(buffer)
    if not first_line:
        raise DataError(f"{source}: the file is empty.")
    if b"\n" not in memoryview(buffer)[-65536:].tobytes():
        buffer = pa.py_buffer(buffer.to_pybytes() + b"\n")  # Arrow takes a lone line for nothing
    delimiter = delimiter or _delimiter(first_line)
    try:
        table = _parse(buffer, delimiter)
    except pa.ArrowInvalid as error:
        fault = encoding_fault(buffer, source)
        if fault is None:
            refuse([_ragged(buffer, delimiter, source) or f"{source}: {error}"])
        raise fault from error
    _check_closed(table, buffer, delimiter, source)
    names = [column[0].as_py().strip() for column in table.columns]
    _check_names(names, source)
    return table.slice(1).rename_columns(names), first_line


def stream_csv(
    path: Path, buffer: pa.Buffer, delimiter: str | None
) -> tuple[list[str], str, Iterator[pa.RecordBatch]]:
    """The columns, the first line and the rows of a CSV file in pieces, as `parse_csv` gives them.

    Args:
        path: The file, in UTF-8.
        buffer: The same, mapped.
        delimiter: As for `parse_csv`.

    Raises:
        pyarrow.ArrowInvalid: Something is wrong, or better read whole; `parse_csv` says what it is.
    """
    first_line = _first_line(buffer)
    if not first_line or b"\n" not in memoryview(buffer)[-65536:].tobytes():
        raise pa.ArrowInvalid("nothing to stream")
    delimiter = delimiter or _delimiter(first_line)
    names = [name.strip() for name in next(_records(buffer, delimiter))[1]]
    if len(set(names)) < len(names):
        raise pa.ArrowInvalid("two columns of one name")
    read, parse, convert = _options(len(names), delimiter, _BLOCK)
    reader = pyarrow.csv.open_csv(str(path), read, parse, convert)

    def pieces() -> Iterator[pa.RecordBatch]:
        header, last = True, None
        for batch in reader:
            if len(batch):
                last = pa.Table.from_batches([batch.slice(len(batch) - 1)])
                yield batch.slice(int(header)).rename_columns(names)
                header = False
        if last is not None:
            _check_closed(last, buffer, delimiter, "")

    return names, first_line, pieces()


def csv_lines(buffer: pa.Buffer, delimiter: str) -> Callable[[Sequence[int]], list[int]]:
    """A function from row numbers to the lines where these rows begin."""

    def locate(rows: Sequence[int]) -> list[int]:
        wanted, found = set(rows), dict[int, int]()
        for row, (line, _) in enumerate(_records(buffer, delimiter), start=-1):
            if row in wanted:
                found[row] = line
                if len(found) == len(wanted):
                    break
        return [found[row] for row in rows]

    return locate


def delimiter_of(suffix: str, first_line: str) -> str:
    """The delimiter that `parse_csv` takes for a file of this suffix."""
    return "\t" if suffix in (".tsv", ".tab") else _delimiter(first_line)


def _delimiter(first_line: str) -> str:
    # Spreadsheets write semicolons where the comma is the decimal sign.
    if "," in first_line:
        return ","
    return next((mark for mark in (";", "\t") if mark in first_line), ",")


def _parse(buffer: pa.Buffer, delimiter: str) -> pa.Table:
    # The header is read as a row: Arrow then takes any names, and a header alone is no error.
    width = max(1, len(next(_records(buffer, delimiter), (0, [""]))[1]))
    block = _BLOCK
    while True:
        try:
            options = _options(width, delimiter, block)
            return pyarrow.csv.read_csv(pa.BufferReader(buffer), *options)
        except pa.ArrowInvalid as error:
            if "straddl" not in str(error) or block > buffer.size or block >= 1 << 30:
                raise
            block *= 4  # a single row is longer than a block


def _options(width: int, delimiter: str, block: int) -> tuple[Any, Any, Any]:
    """How Arrow reads, parses and converts: every cell is a string, the header a row."""
    return (
        pyarrow.csv.ReadOptions(autogenerate_column_names=True, block_size=block),
        pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        pyarrow.csv.ConvertOptions(
            column_types={f"f{i}": pa.string() for i in range(width)}, strings_can_be_null=False
        ),
    )


def _records(buffer: pa.Buffer, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line and fields of every record, header included; slow, for messages."""
    text = io.TextIOWrapper(pa.BufferReader(buffer), "utf-8", errors="replace", newline="")
    line = 1
    with _long_fields():
        reader = csv.reader(text, delimiter=delimiter)
        for record in reader:
            if record:
                yield line, record
            line = reader.line_num + 1


@contextmanager
def _long_fields() -> Iterator[None]:
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _first_line(buffer: pa.Buffer) -> str:
    start = buffer.slice(0, min(65536, buffer.size)).to_pybytes().decode("utf-8", errors="replace")
    return next((line for line in start.splitlines() if line.strip()), "")


def _ragged(buffer: pa.Buffer, delimiter: str, source: str) -> str | None:
    records = _records(buffer, delimiter)
    _, header = next(records)
    ragged = [(line, len(record)) for line, record in records if len(record) != len(header)]
    if not ragged:
        return None
    shown = "".join(
        f"\n  line {line}: {found} found, {len(header)} expected" for line, found in ragged[:FIRST]
    )
    more = f"\n  … and {len(ragged) - FIRST} more lines" if len(ragged) > FIRST else ""
    return (
        f"{source}: {len(ragged)} {'line has' if len(ragged) == 1 else 'lines have'} another "
        f"number of columns than the header:{shown}{more}\n"
        f'  A field that holds {delimiter!r}, a quote or a line break is written in quotes: "a, b".'
    )


def _check_closed(table: pa.Table, buffer: pa.Buffer, delimiter: str, source: str) -> None:
    """Refuse a quote that opens and never closes: it would swallow the rest of the file."""
    last = table.columns[-1][-1].as_py() if table.num_rows else ""
    if "\n" not in last and "\r" not in last:
        return
    tail = buffer.slice(max(0, buffer.size - 16)).to_pybytes().rstrip(b"\r\n")
    if not tail.endswith(b'"'):
        *_, (line, _) = _records(buffer, delimiter)
        raise DataError(
            f"{source}, line {line}: a quotation mark opens in this row and never closes, so all "
            'lines after it would be one field. Close it, or write it twice ("") inside quotes.'
        )


def _check_names(names: list[str], source: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{source}, line 1: {quoted(twice)} stands more than once in the header "
            f"({quoted(names)}). Give every column a name of its own."
        )
