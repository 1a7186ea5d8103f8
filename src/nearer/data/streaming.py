"""Files as pieces of a table, one after the other, for data that should not be in memory whole."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import xxhash

from nearer.data.csvfile import csv_lines, delimiter_of, stream_csv
from nearer.data.jsonfile import is_array, json_lines, stream_json
from nearer.data.reading import ARROW, CSV, JSON
from nearer.data.textfile import read_text

_BLOCK = 1 << 20
_ROWS = 1 << 15


class CannotStream(Exception):
    """A file that is to be read whole, for its content or for a message that says what is wrong."""


@dataclass(frozen=True)
class Stream:
    """A file whose rows come in pieces.

    Attributes:
        names: Its columns.
        pieces: Gives the pieces, of some columns only where that is cheaper.
        first_line: Of a CSV file.
        locate: As in `Rows`.
    """

    names: list[str]
    pieces: Callable[[list[str]], Iterator[pa.RecordBatch]]
    first_line: str | None = None
    locate: Callable[[Sequence[int]], list[int]] | None = None


def open_stream(path: Path, source: str) -> Stream:
    """Open a CSV, TSV, JSON lines, Parquet, Arrow or Feather file in UTF-8, not compressed as such.

    Raises:
        CannotStream: It is another file, or its form is not that of the rest.
        DataError: It is no file of its form.
        pyarrow.ArrowException: It is damaged; also from the pieces.
    """
    suffix = path.suffix.lower()
    if suffix in CSV + JSON:
        with path.open("rb") as file:
            head = file.read(4)
        if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
            raise CannotStream
        buffer = read_text(path, None, source)
        if suffix in CSV:
            delimiter = delimiter_of(suffix, "") if suffix != ".csv" else None
            names, first_line, read = stream_csv(path, buffer, delimiter)
            locate = csv_lines(buffer, delimiter_of(suffix, first_line))
            return Stream(names, lambda wanted: read, first_line, locate)
        if is_array(buffer):
            raise CannotStream
        names, read = stream_json(path)
        return Stream(names, lambda wanted: read, locate=partial(json_lines, buffer))
    if suffix == ".parquet":
        import pyarrow.parquet  # costs 50 ms; only who reads Parquet pays

        file = pyarrow.parquet.ParquetFile(path)

        def pieces(wanted: list[str]) -> Iterator[pa.RecordBatch]:
            # A reader of several groups holds on to the bytes of all that it has read.
            for group in range(file.num_row_groups):
                yield from file.iter_batches(_ROWS, [group], wanted, use_threads=False)

        return Stream(file.schema_arrow.names, pieces)
    if suffix in ARROW:
        return _arrow(path)
    raise CannotStream


def content_hash(path: Path) -> str:
    """Hash a file by its bytes (XXH3, which takes less time than reading them): 32 hex digits."""
    whole = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        block = bytearray(_BLOCK)
        while count := file.readinto(block):
            whole.update(memoryview(block)[:count])
    return whole.hexdigest()


def _arrow(path: Path) -> Stream:
    source = pa.OSFile(str(path))  # not mapped: what was read need not stay
    try:
        file = pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        return Stream(stream.schema.names, lambda wanted: iter(stream))
    every = range(file.num_record_batches)
    return Stream(file.schema.names, lambda wanted: map(file.get_batch, every))
