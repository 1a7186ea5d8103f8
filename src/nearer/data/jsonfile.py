"""JSON lines to Arrow. Opens no files."""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from nearer.data.jsonguard import DEEPEST, depth, harms_arrow
from nearer.data.rows import FIRST, table_of
from nearer.data.textfile import encoding_fault
from nearer.errors import DataError

_BLOCK = 1 << 22


def parse_json(buffer: pa.Buffer, source: str) -> pa.Table:
    """The table of a file with one JSON object a line (or one array of objects).

    Strings stay strings, also where they look like dates. Keys may differ from line to line; what
    a line lacks is null. Arrow parses what it can; what it refuses is parsed line by line, which
    takes longer and knows the line of every fault.

    Raises:
        DataError: Lines that are no JSON objects, with the lines; a byte that is not UTF-8.
    """
    if _begins_with(buffer, b"["):
        return _array_of_objects(buffer, source)
    if harms_arrow(buffer):
        return _slow(buffer, source)
    try:
        table = _fast(buffer)
        if not _lossy(table):
            return table
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:  # the latter for names of columns
        fault = encoding_fault(buffer, source)
        if fault is not None:
            raise fault from error
    return _slow(buffer, source)


def stream_json(path: Path) -> tuple[list[str], Iterator[pa.RecordBatch]]:
    """The columns and rows of JSON lines in pieces, as `parse_json` gives them.

    The first piece says what columns there are and of what type.

    Raises:
        pyarrow.ArrowInvalid: A line is wrong, or not like those of the first piece, or a number is
            too long; `parse_json` says what it is, or can read it. Also from the pieces.
    """
    found = _open(path, None).schema
    text = [
        pa.field(f.name, pa.string()) if pa.types.is_temporal(f.type) else f for f in found
    ]  # Arrow takes "2020-01-01" for a date; here it is what stands in the file
    reader = _open(path, pa.schema(text))

    def pieces() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            batch.validate(full=True)
            if _lossy(pa.Table.from_batches([batch])):
                raise pa.ArrowInvalid("a whole number became a float")
            yield batch

    return found.names, pieces()


def _open(path: Path, schema: pa.Schema | None) -> Any:
    return pyarrow.json.open_json(
        str(path),
        pyarrow.json.ReadOptions(block_size=_BLOCK),
        pyarrow.json.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="error" if schema else "infer"
        ),
    )


def json_lines(buffer: pa.Buffer, rows: Sequence[int]) -> list[int]:
    """The lines on which these rows stand; empty lines are no rows."""
    wanted, found = set(rows), dict[int, int]()
    for row, (line, _) in enumerate(_lines(buffer)):
        if row in wanted:
            found[row] = line
    return [found.get(row, row + 1) for row in rows]


def is_array(buffer: pa.Buffer) -> bool:
    """Whether the file is one JSON array, whose rows have no lines."""
    return _begins_with(buffer, b"[")


def _begins_with(buffer: pa.Buffer, mark: bytes) -> bool:
    return bool(buffer.slice(0, min(4096, buffer.size)).to_pybytes().lstrip().startswith(mark))


def _fast(buffer: pa.Buffer) -> pa.Table:
    table = _read(buffer, None)
    dates = [field.name for field in table.schema if pa.types.is_temporal(field.type)]
    if dates:  # Arrow takes "2020-01-01" for a date; here it is what stands in the file
        table = _read(buffer, pa.schema([(name, pa.string()) for name in dates]))
    table.validate(full=True)
    return table


def _read(buffer: pa.Buffer, schema: pa.Schema | None) -> pa.Table:
    block = _BLOCK
    while True:
        try:
            return pyarrow.json.read_json(
                pa.BufferReader(buffer),
                read_options=pyarrow.json.ReadOptions(block_size=block),
                parse_options=pyarrow.json.ParseOptions(explicit_schema=schema),
            )
        except pa.ArrowInvalid as error:
            if "straddl" not in str(error) or block > buffer.size or block >= 1 << 30:
                raise
            block *= 4  # a single line is longer than a block


def _lossy(table: pa.Table) -> bool:
    """Whether whole numbers too large for 64 bits became floats, as long ids do."""
    floats = [column for column in table.columns if pa.types.is_floating(column.type)]
    return any((pc.max(pc.abs(column)).as_py() or 0) >= 2**53 for column in floats)


def _lines(buffer: pa.Buffer) -> Iterator[tuple[int, str]]:
    text = io.TextIOWrapper(pa.BufferReader(buffer), "utf-8", errors="replace", newline="\n")
    return ((number, line) for number, line in enumerate(text, start=1) if line.strip())


def _slow(buffer: pa.Buffer, source: str) -> pa.Table:
    records: list[dict[str, Any]] = []
    faults: list[str] = []
    for number, line in _lines(buffer):
        if line.count("[") + line.count("{") > DEEPEST and depth(line.encode()) > DEEPEST:
            faults.append(f"line {number}: brackets nest more than {DEEPEST} deep")
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            what = str(error).split(":")[0].lower()
            column = getattr(error, "colno", 1)
            faults.append(f"line {number}, character {column}: no valid JSON ({what})")
            continue
        if isinstance(record, dict):
            records.append(record)
        else:
            faults.append(f"line {number}: {json.dumps(record)[:40]} is no object {{…}}")
    if faults:
        more = [f"… and {len(faults) - FIRST} more lines"] if len(faults) > FIRST else []
        listed = "".join(f"\n  {fault}" for fault in faults[:FIRST] + more)
        raise DataError(
            f"{source}: lines that cannot be read:{listed}\n"
            '  Every line must be one JSON object: {"query": "…", "document": "…"}.'
        )
    return _table(records, source)


def _array_of_objects(buffer: pa.Buffer, source: str) -> pa.Table:
    try:
        records = json.loads(buffer.to_pybytes())
    except UnicodeDecodeError as error:
        fault = encoding_fault(buffer, source)
        raise fault or DataError(f"{source}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source}: no valid JSON ({error}).") from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise DataError(
            f'{source}: the array must hold objects only: [{{"query": "…", "document": "…"}}, …].'
        )
    return _table(records, source)


def _table(records: list[dict[str, Any]], source: str) -> pa.Table:
    try:
        return table_of(records)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"{source}: {error} (rows counted from 0). Every value of a column must be of one kind."
        ) from error
