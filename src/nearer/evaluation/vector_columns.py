"""A column of lists of numbers in an Arrow or Parquet file, as blocks of a matrix."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.data.rows import quoted
from nearer.errors import DataError

NAME = "embedding"
"""The column that is meant where there are several and none is named."""

Opened = tuple[int, int, Callable[[int], Iterator[np.ndarray]]]
"""Rows, dimensions, and a reader of so many rows at a time."""


def open_parquet(path: Path, source: str, column: str | None) -> Opened:
    """Open a column of a Parquet file; its row groups are read one after the other."""
    import pyarrow.parquet as parquet  # costs 50 ms; only who reads Parquet pays

    try:
        file = parquet.ParquetFile(path, memory_map=True)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(source, "Parquet", error) from error
    name = vector_column(file.schema_arrow, source, column)

    def arrays(step: int) -> Iterator[pa.Array]:
        for batch in file.iter_batches(batch_size=step, columns=[name]):
            yield batch.column(0)

    return _opened(arrays, file.metadata.num_rows, source, name)


def open_ipc(path: Path, source: str, column: str | None) -> Opened:
    """Open a column of an Arrow file, memory-mapped; its batches are read one after the other."""
    try:
        schema = _ipc_reader(path, None)[0].schema
        name = vector_column(schema, source, column)
        # Only this column is read, and unpacked where the file is compressed.
        only = pa.ipc.IpcReadOptions(included_fields=[schema.names.index(name)])
        rows = sum(batch.num_rows for batch in _ipc_batches(path, only))
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(source, "Arrow", error) from error

    def arrays(step: int) -> Iterator[pa.Array]:
        for batch in _ipc_batches(path, only):
            for start in range(0, batch.num_rows, step):
                yield batch.column(0).slice(start, step)

    return _opened(arrays, rows, source, name)


def vector_column(schema: pa.Schema, source: str, column: str | None) -> str:
    """Find the column of embeddings: the one that was named, else the only one of lists of numbers.

    Raises:
        DataError: There is none, or it is unclear which; lists the columns.

    Example:
        >>> schema = pa.schema([("id", pa.string()), ("vector", pa.list_(pa.float32()))])
        >>> vector_column(schema, "index.parquet", None)
        'vector'
    """
    listed = ", ".join(f'"{field.name}" ({field.type})' for field in schema)
    found: list[str] = [field.name for field in schema if _is_vectors(field.type)]
    if column is not None:
        if column in found:
            return column
        why = "is not one of lists of numbers" if column in schema.names else "is not there"
        raise DataError(f'{source}: column "{column}" {why}; its columns are {listed}')
    if len(found) == 1:
        return found[0]
    if NAME in found:
        return NAME
    if found:
        raise DataError(
            f"{source}: embeddings could be in {quoted(found)}; say in which: "
            f'columns={{"{NAME}": "{found[0]}"}}'
        )
    raise DataError(f"{source}: no column holds lists of numbers; its columns are {listed}")


def _is_vectors(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_kind(kind) for is_kind in lists):
        return False
    return bool(pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))


def _opened(
    arrays: Callable[[int], Iterator[pa.Array]], rows: int, source: str, name: str
) -> Opened:
    first = next((a for a in arrays(1) if len(a)), None)
    width = 0 if first is None or first[0].as_py() is None else len(first[0])

    def read(step: int) -> Iterator[np.ndarray]:
        start = 0
        for array in arrays(step):
            yield _matrix(array, width, start, f'{source}, column "{name}"')
            start += len(array)

    return rows, width, read


def _matrix(array: pa.Array, width: int, start: int, place: str) -> np.ndarray:
    """Lists of one length as rows: shape (n, width)."""
    lengths = pc.fill_null(pc.list_value_length(array), -1).to_numpy(zero_copy_only=False)
    bad = np.flatnonzero(lengths != width)
    if len(bad):
        has = "is null" if lengths[bad[0]] < 0 else f"has {lengths[bad[0]]} numbers"
        raise DataError(f"{place}: row {start + bad[0]} {has}, and the first row has {width}")
    values = array.flatten()
    if values.null_count:
        row = start + int(np.argmax(values.is_null().to_numpy(zero_copy_only=False))) // width
        raise DataError(f"{place}: row {row} holds a null; every embedding must be whole")
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(len(array), width)


def _ipc_reader(path: Path, options: Any) -> tuple[Any, bool]:
    """A reader of the file, and whether it can go to any batch."""
    file = pa.memory_map(str(path))
    try:
        return pa.ipc.open_file(file, options=options), True
    except pa.ArrowInvalid:  # written as a stream
        file.seek(0)
        return pa.ipc.open_stream(file, options=options), False


def _ipc_batches(path: Path, options: Any) -> Iterator[pa.RecordBatch]:
    reader, is_file = _ipc_reader(path, options)
    if is_file:
        yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
        yield from reader


def _unreadable(source: str, kind: str, error: Exception) -> DataError:
    return DataError(
        f"{source}: cannot be read as {kind} ({str(error).rstrip('.')}). Write it again, or give "
        "it the suffix of what it holds."
    )
