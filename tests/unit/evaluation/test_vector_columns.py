"""Columns of lists of numbers in Arrow and Parquet files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest

from nearer.errors import DataError
from nearer.evaluation.vector_columns import vector_column
from nearer.evaluation.vectors import open_vectors

MATRIX = np.arange(60, dtype=np.float32).reshape(20, 3)
KINDS = {
    "list": pa.list_(pa.float64()),
    "large": pa.large_list(pa.float32()),
    "fixed": pa.list_(pa.float16(), 3),
    "whole": pa.list_(pa.int32()),
}


def table(kind, rows=None):
    values = MATRIX.tolist() if rows is None else rows
    if pa.types.is_integer(kind.value_type):
        values = [[int(v) for v in row] for row in values]
    if kind.value_type == pa.float16():
        values = [None if row is None else [np.float16(v) for v in row] for row in values]
    return pa.table({"id": [str(i) for i in range(len(values))], "vector": pa.array(values, kind)})


def write_parquet(table, path):
    parquet.write_table(table, path, row_group_size=6)


def write_file(table, path):
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=6)


def write_stream(table, path):
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=6)


def write_feather(table, path):
    feather.write_feather(table, str(path), compression="zstd", chunksize=6)


WRITERS = {
    "a.parquet": write_parquet,
    "a.arrow": write_file,
    "b.arrow": write_stream,
    "a.feather": write_feather,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_list_in_every_kind_of_file(tmp_path: Path, name, kind):
    path = tmp_path / name
    WRITERS[name](table(KINDS[kind]), path)
    vectors = open_vectors(path, "embeddings")
    assert (vectors.rows, vectors.width, vectors.source) == (20, 3, str(path))
    for _ in range(2):  # it can be read again
        np.testing.assert_array_equal(vectors.all(), MATRIX)
    pieces = list(vectors.read(4))
    assert max(map(len, pieces)) <= 4
    np.testing.assert_array_equal(np.concatenate(pieces), MATRIX)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([[1.0, 2.0], [1.0]], "row 1 has 1 numbers, and the first row has 2"),
        ([[1.0, 2.0], None], "row 1 is null, and the first row has 2"),
        ([[1.0, 2.0], [3.0, 4.0], [None, 1.0]], "row 2 holds a null"),
    ],
)
@pytest.mark.parametrize("name", WRITERS)
def test_rows_that_are_no_embedding_are_named(tmp_path, name, rows, says):
    path = tmp_path / name
    WRITERS[name](table(KINDS["list"], rows), path)
    with pytest.raises(DataError, match=rf'{name}, column "vector": {says}'):
        open_vectors(path, "embeddings").all()


@pytest.mark.parametrize("rows", [[], [[]], [None]])
def test_no_embeddings_at_all(tmp_path, rows):
    write_parquet(table(KINDS["list"], rows), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: holds no embeddings"):
        open_vectors(tmp_path / "a.parquet", "embeddings")


NUMBERS = pa.list_(pa.float32())
SCHEMA = [("id", pa.string()), ("tags", pa.list_(pa.string())), ("size", pa.float32())]


@pytest.mark.parametrize(
    ("columns", "named", "found"),
    [
        ([("vec", NUMBERS)], None, "vec"),
        ([("vec", NUMBERS)], "vec", "vec"),
        ([("vec", NUMBERS), ("other", NUMBERS)], "other", "other"),
        ([("vec", NUMBERS), ("embedding", pa.list_(pa.float16(), 4))], None, "embedding"),
    ],
)
def test_the_column_that_is_meant(columns, named, found):
    assert vector_column(pa.schema(SCHEMA + columns), "x.arrow", named) == found


@pytest.mark.parametrize(
    ("columns", "named", "says"),
    [
        ([], None, r'no column holds lists of numbers; its columns are "id" \(string\), "tags"'),
        (
            [("one", NUMBERS), ("two", NUMBERS)],
            None,
            r'embeddings could be in "one", "two"; say in which: columns=\{"embedding": "one"\}',
        ),
        ([("one", NUMBERS)], "two", r'column "two" is not there; its columns are .*"one"'),
        ([("one", NUMBERS)], "tags", 'column "tags" is not one of lists of numbers'),
    ],
)
def test_what_is_unclear_lists_the_columns(columns, named, says):
    with pytest.raises(DataError, match=f"x.arrow: {says}"):
        vector_column(pa.schema(SCHEMA + columns), "x.arrow", named)


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather"])
def test_what_is_no_such_file_inside(tmp_path, name):
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(DataError, match=rf"{name}: cannot be read as"):
        open_vectors(tmp_path / name, "embeddings")
