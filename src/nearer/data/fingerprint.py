"""A hash of what a table holds, so that a run can record its data and see that it changed."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def fingerprint(table: pa.Table) -> str:
    """The SHA-256 of names, order and contents of the columns, as 64 hex digits.

    How the rows are chunked, and whether strings have 32 or 64 bit offsets, makes no difference;
    a null and an empty string do, and so does the order of rows. Of pictures the paths are hashed,
    not the files.

    Example:
        >>> table = pa.table({"text": ["a", "b"]})
        >>> fingerprint(table) == fingerprint(pa.concat_tables([table[:1], table[1:]]))
        True
    """
    whole = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        whole.update(json.dumps([name, len(column)]).encode())
        whole.update(_column(column).digest())
    return whole.hexdigest()


def _column(column: pa.ChunkedArray) -> "hashlib._Hash":
    # Lengths and bytes go to hashes of their own: both then run on through all chunks, and where
    # a chunk ends leaves no trace.
    shape, content = hashlib.sha256(), hashlib.sha256()
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    for chunk in column.chunks:
        if _is_string(chunk.type):
            lengths = pc.cast(pc.binary_length(chunk), pa.int64())
            shape.update(pc.fill_null(lengths, -1).to_numpy().tobytes())
            content.update(_bytes(chunk))
        elif pa.types.is_integer(chunk.type) or pa.types.is_floating(chunk.type):
            shape.update(np.asarray(chunk.is_valid()).astype(np.uint8).tobytes())
            content.update(pc.fill_null(chunk, 0).to_numpy().tobytes())
        else:  # dates, lists, objects: rare, and slow
            for value in chunk.to_pylist():
                content.update(json.dumps(value, default=str, sort_keys=True).encode() + b"\n")
    kind = "string" if _is_string(column.type) else str(column.type)
    return hashlib.sha256(kind.encode() + shape.digest() + content.digest())


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _bytes(chunk: pa.Array) -> bytes:
    """The bytes of all strings that are not null, one after the other."""
    chunk = pc.drop_null(chunk) if chunk.null_count else chunk
    if not len(chunk):
        return b""
    width = np.int64 if pa.types.is_large_string(chunk.type) else np.int32
    _, offsets, data = chunk.buffers()
    ends = np.frombuffer(offsets, dtype=width)[chunk.offset : chunk.offset + len(chunk) + 1]
    first, last = int(ends[0]), int(ends[-1])
    return memoryview(data)[first:last].tobytes() if data is not None else b""
