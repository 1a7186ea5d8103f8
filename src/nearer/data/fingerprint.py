"""A hash of what a table holds, so that a run can record its data and see that it changed."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.data.cells import is_bytes


def fingerprint(table: pa.Table) -> str:
    """The SHA-256 of names, order and contents of the columns, as 64 hex digits.

    How the rows are chunked, and whether strings have 32 or 64 bit offsets, makes no difference;
    a null and an empty string do, and so does the order of rows. Of pictures given as paths the
    paths are hashed, not the files.

    Example:
        >>> table = pa.table({"text": ["a", "b"]})
        >>> fingerprint(table) == fingerprint(pa.concat_tables([table[:1], table[1:]]))
        True
    """
    running = Fingerprint(table.schema)
    for batch in table.to_batches():
        running.update(batch)
    return running.hexdigest()


class Fingerprint:
    """The fingerprint of a table that comes in pieces.

    Args:
        schema: Names and types of the columns.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = [(field.name, _Column(field.type)) for field in schema]
        self._rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Go on with some more rows."""
        self._rows += len(batch)
        for (_, column), chunk in zip(self._columns, batch.columns, strict=True):
            column.update(chunk)

    def hexdigest(self) -> str:
        """64 hex digits for all rows so far."""
        whole = hashlib.sha256()
        for name, column in self._columns:
            whole.update(json.dumps([name, self._rows]).encode())
            whole.update(column.digest())
        return whole.hexdigest()


class _Column:
    """Lengths and bytes of one column.

    They go to hashes of their own: both then run on through all chunks, and where a chunk ends
    leaves no trace.
    """

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        self._shape, self._content = hashlib.sha256(), hashlib.sha256()

    def update(self, chunk: pa.Array) -> None:
        if pa.types.is_dictionary(chunk.type):
            chunk = pc.cast(chunk, chunk.type.value_type)
        if _is_string(chunk.type) or is_bytes(chunk.type):
            lengths = pc.cast(pc.binary_length(chunk), pa.int64())
            self._shape.update(pc.fill_null(lengths, -1).to_numpy().tobytes())
            self._content.update(_bytes(chunk))
        elif pa.types.is_integer(chunk.type) or pa.types.is_floating(chunk.type):
            self._shape.update(np.asarray(chunk.is_valid()).astype(np.uint8).tobytes())
            self._content.update(pc.fill_null(chunk, 0).to_numpy().tobytes())
        else:  # dates, lists, objects: rare, and slow
            for value in chunk.to_pylist():
                said = json.dumps(value, default=str, sort_keys=True)
                self._content.update(said.encode() + b"\n")

    def digest(self) -> bytes:
        kind = "string" if _is_string(self._kind) else str(self._kind).removeprefix("large_")
        return hashlib.sha256(
            kind.encode() + self._shape.digest() + self._content.digest()
        ).digest()


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _bytes(chunk: pa.Array) -> bytes:
    """The bytes of all cells that are not null, one after the other."""
    chunk = pc.drop_null(chunk) if chunk.null_count else chunk
    if not len(chunk):
        return b""
    wide = pa.types.is_large_string(chunk.type) or pa.types.is_large_binary(chunk.type)
    width = np.int64 if wide else np.int32
    _, offsets, data = chunk.buffers()
    ends = np.frombuffer(offsets, dtype=width)[chunk.offset : chunk.offset + len(chunk) + 1]
    first, last = int(ends[0]), int(ends[-1])
    return memoryview(data)[first:last].tobytes() if data is not None else b""
