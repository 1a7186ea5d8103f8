"""Embeddings from arrays and .npy files: a block at a time, float32, cut, taken."""

import numpy as np
import pytest

from nearer.errors import DataError, UsageError
from nearer.evaluation import vectors as module
from nearer.evaluation.vectors import open_vectors

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((50, 6)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_is_mapped_and_made_float32_in_blocks(tmp_path, monkeypatch, dtype, order):
    matrix = np.asarray(MATRIX * 20, dtype=dtype, order=order)
    np.save(tmp_path / "x.npy", matrix)
    monkeypatch.setattr(module, "BLOCK", 7)
    vectors = open_vectors(tmp_path / "x.npy", "embeddings")
    blocks = list(vectors.blocks())
    assert [start for start, _ in blocks] == list(range(0, 50, 7))
    assert {block.dtype for _, block in blocks} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(vectors.all(), matrix.astype(np.float32))
    assert not vectors.held
    assert isinstance(next(vectors.read(1)), np.memmap)


def test_an_array_that_is_there_is_not_copied():
    vectors = open_vectors(MATRIX, "embeddings")
    assert vectors.held
    assert np.shares_memory(vectors.all(), MATRIX)
    assert not open_vectors(MATRIX.astype(np.float64), "embeddings").held


def test_some_rows(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 8)
    vectors = open_vectors(MATRIX, "embeddings")
    rows = np.array([0, 7, 8, 30, 49])
    np.testing.assert_array_equal(vectors.take(rows), MATRIX[rows])
    np.testing.assert_array_equal(vectors.cut(2).take(rows[1:3]), MATRIX[rows[1:3], :2])


def test_leading_dimensions():
    vectors = open_vectors(MATRIX, "embeddings")
    np.testing.assert_array_equal(vectors.cut(4).all(), MATRIX[:, :4])
    assert vectors.cut(None) is vectors
    assert (vectors.cut(4).width, vectors.cut(4).dimension) == (6, 4)
    for wrong in (0, 7):
        with pytest.raises(UsageError, match=f"truncate_dim is {wrong}, .* 6 dimensions"):
            vectors.cut(wrong)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(3), np.zeros((2, 2, 2)), np.array([["a"]]), np.zeros((2, 2), dtype=complex), "ab"],
)
def test_what_is_no_matrix_of_numbers(wrong, tmp_path):
    if isinstance(wrong, str):
        wrong = np.array(wrong)
    with pytest.raises(DataError, match="embeddings of the index: must be a matrix of numbers"):
        open_vectors(wrong, "embeddings of the index")
    np.save(tmp_path / "x.npy", wrong)
    with pytest.raises(DataError, match=r"x\.npy: must be a matrix"):
        open_vectors(tmp_path / "x.npy", "embeddings")


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_none_at_all(shape):
    with pytest.raises(DataError, match="embeddings: holds no embeddings"):
        open_vectors(np.zeros(shape), "embeddings")


def test_files_that_cannot_be_read(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("not an array")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "x.txt").write_text("1 2 3")
    for name in ("objects", "text", "empty"):
        with pytest.raises(DataError, match=rf'{name}\.npy: cannot be read .* "numpy\.save"'):
            open_vectors(tmp_path / f"{name}.npy", "embeddings")
    with pytest.raises(DataError, match=r'end in "\.txt" are not read\. Read are \.npy'):
        open_vectors(tmp_path / "x.txt", "embeddings")
    with pytest.raises(DataError, match=r'no such file\. Did you mean "text\.npy"'):
        open_vectors(tmp_path / "texd.npy", "embeddings")
    with pytest.raises(DataError, match="no such file"):
        open_vectors(tmp_path / "nowhere" / "x.npy", "embeddings")
