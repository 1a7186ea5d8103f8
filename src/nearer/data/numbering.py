"""Codes for the contents of columns that come in pieces and are never all in memory."""

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash

_BUCKETS = 64
_RECORD = np.dtype([("high", "<u8"), ("low", "<u8"), ("item", "<i8")])
_ROW_BITS = 44
_PIECE = 1 << 20


class Numbering:
    """Number contents by first appearance, column after column, as `codes_of` does.

    Equal contents are found by a hash of 128 bits (XXH3; of a billion different texts two have the
    same with a chance of 1e-21). Hashes lie on disk in buckets, each of which is sorted alone; in
    memory there is one number for each cell.

    Args:
        folder: A folder for the buckets; made, and removed again by `finish`.
        columns: How many columns share the numbers.
    """

    def __init__(self, folder: Path, columns: int) -> None:
        folder.mkdir()
        self._folder, self._columns = folder, columns
        self._files = [(folder / f"{i}").open("wb") for i in range(_BUCKETS)]

    def add(self, column: int, first_row: int, cells: pa.ChunkedArray) -> None:
        """Take the cells of a column from some row on; none of them null."""
        for chunk in cells.chunks:
            hashes = text_hashes(chunk)
            records = np.empty(len(chunk), dtype=_RECORD)
            records["high"], records["low"] = hashes[:, 0], hashes[:, 1]
            start = (column << _ROW_BITS) + first_row
            records["item"] = np.arange(start, start + len(chunk))
            bucket = records["high"] >> np.uint64(58)
            order = np.argsort(bucket, kind="stable")
            ends = np.searchsorted(bucket[order], np.arange(_BUCKETS + 1))
            records = records[order]
            for file, (low, high) in zip(self._files, pairwise(ends.tolist()), strict=True):
                file.write(records[low:high].tobytes())
            first_row += len(chunk)

    def finish(self, rows: int) -> list[np.ndarray]:
        """The codes of each column.

        Args:
            rows: Rows of every column.

        Returns:
            For each column shape (rows,), int32, or int64 where there are more cells than that
            can count.
        """
        self.close()
        cells = rows * self._columns
        numbers = np.empty(cells, dtype=np.int32 if cells < 2**31 else np.int64)
        for i in range(_BUCKETS):
            path = self._folder / f"{i}"
            _first_cells(np.fromfile(path, dtype=_RECORD), rows, numbers)
            path.unlink()
        shutil.rmtree(self._folder)
        _count(numbers)
        return np.split(numbers, self._columns)

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def text_hashes(chunk: pa.Array) -> np.ndarray:
    """Hash each string of an array without making Python strings: shape (n, 2), uint64."""
    width = np.int64 if pa.types.is_large_string(chunk.type) else np.int32
    _, offsets, data = chunk.buffers()
    ends = np.frombuffer(offsets, dtype=width)[chunk.offset : chunk.offset + len(chunk) + 1]
    view, digest = memoryview(data or b""), xxhash.xxh3_128_digest
    hashes = b"".join([digest(view[low:high]) for low, high in pairwise(ends.tolist())])
    return np.frombuffer(hashes, dtype="<u8").reshape(-1, 2)


def _first_cells(records: np.ndarray, rows: int, first: np.ndarray) -> None:
    """Note for each cell of a bucket the first cell of the same content."""
    if not len(records):
        return
    item = records["item"]
    cell = (item >> _ROW_BITS) * rows + (item & ((1 << _ROW_BITS) - 1))
    order = np.lexsort((cell, records["low"], records["high"]))
    high, low, cell = records["high"][order], records["low"][order], cell[order]
    starts = np.flatnonzero(np.r_[True, (high[1:] != high[:-1]) | (low[1:] != low[:-1])])
    first[cell] = np.repeat(cell[starts], np.diff(np.r_[starts, len(cell)]))


def _count(numbers: np.ndarray) -> None:
    """Turn the first cell of each content into its number, in place.

    A first cell stands before all that refer to it, so going forward it has its number already.
    """
    seen = 0
    for start in range(0, len(numbers), _PIECE):
        piece = numbers[start : start + _PIECE]
        is_first = piece == np.arange(start, start + len(piece), dtype=numbers.dtype)
        refers = np.flatnonzero(~is_first)
        to = piece[refers]
        count = int(is_first.sum())
        piece[is_first] = np.arange(seen, seen + count, dtype=numbers.dtype)
        piece[refers] = numbers[to]
        seen += count
