"""Embeddings that are there already: arrays and files, read block by block. Searches nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nearer.data.rows import quoted
from nearer.errors import DataError, UsageError, did_you_mean
from nearer.evaluation.vector_columns import open_ipc, open_parquet

BLOCK = 1 << 14
"""Rows that are read and made float32 at a time."""

READABLE = ".npy, .parquet, .arrow, .feather"
Blocks = Callable[[int], Iterator[np.ndarray]]


@dataclass(frozen=True)
class Vectors:
    """The embeddings of one side, of which only a block is held at a time.

    Attributes:
        source: Where they come from, for messages ("index.npy").
        rows: How many there are.
        width: Dimensions that each of them has there.
        read: Reads all rows in order, so many at a time; of any type of numbers.
        held: They are in memory as float32, and reading them takes no more.
        dimension: Leading dimensions that count.
    """

    source: str
    rows: int
    width: int
    read: Blocks
    held: bool = False
    dimension: int = 0

    def __post_init__(self) -> None:
        if not self.rows or not self.width:
            raise DataError(f"{self.source}: holds no embeddings; {self.rows} × {self.width}")
        if not self.dimension:
            object.__setattr__(self, "dimension", self.width)

    def cut(self, dimension: int | None) -> "Vectors":
        """Count only so many leading dimensions; None for all.

        Raises:
            UsageError: There are not so many.
        """
        if dimension is None:
            return self
        if not 1 <= dimension <= self.width:
            raise UsageError(
                f"truncate_dim is {dimension}, and an embedding of {self.source} has {self.width} "
                "dimensions"
            )
        return replace(self, dimension=dimension)

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """All rows in order: `(first row, shape (n, dimension), float32)`."""
        start = 0
        for block in self.read(BLOCK):
            with np.errstate(over="ignore"):  # the search reports it as an infinity
                yield start, np.asarray(block[:, : self.dimension], dtype=np.float32)
            start += len(block)

    def all(self) -> np.ndarray:
        """Every row: shape (rows, dimension), float32."""
        if self.held:
            return next(self.read(self.rows))[:, : self.dimension]
        out = np.empty((self.rows, self.dimension), dtype=np.float32)
        for start, block in self.blocks():
            out[start : start + len(block)] = block
        return out

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some rows: shape (n, dimension), float32.

        Args:
            rows: Numbers of rows, rising.
        """
        parts = []
        for start, block in self.blocks():
            low, high = np.searchsorted(rows, (start, start + len(block)))
            parts.append(block[rows[low:high] - start])
        return np.concatenate(parts)


def open_vectors(source: Any, option: str, column: str | None = None) -> Vectors:
    """Open embeddings.

    Args:
        source: An array, shape (rows, dimensions), or the path of a .npy, Parquet, Arrow or Feather
            file; the latter three have a column of lists of numbers.
        option: What it was given as, for messages ("embeddings, first").
        column: Its name, where there are several.

    Raises:
        DataError: It cannot be read, or is no matrix of numbers; lists the columns there are.

    Example:
        >>> vectors = open_vectors(np.eye(3), "embeddings")
        >>> vectors.rows, vectors.cut(2).take(np.array([1])).tolist()
        (3, [[0.0, 1.0]])
    """
    if not isinstance(source, str | Path):
        return _of_array(np.asarray(source), option)
    path = Path(source).expanduser()
    if not path.is_file():
        names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"{source}: no such file.{did_you_mean(path.name, names)}")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _of_array(_npy(path), str(source))
    if suffix == ".parquet":
        return Vectors(str(source), *open_parquet(path, str(source), column))
    if suffix in (".arrow", ".feather", ".ipc"):
        return Vectors(str(source), *open_ipc(path, str(source), column))
    raise DataError(
        f'{source}: embeddings in files that end in "{suffix}" are not read. Read are {READABLE}; '
        "numpy.save writes the first."
    )


def _of_array(array: np.ndarray, source: str) -> Vectors:
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise DataError(
            f"{source}: must be a matrix of numbers, one row for each item; its shape is "
            f"{array.shape}, its type {array.dtype}"
        )
    held = array.dtype == np.float32 and not isinstance(array, np.memmap)

    def read(step: int) -> Iterator[np.ndarray]:
        for start in range(0, len(array), step):
            yield array[start : start + step]

    rows, width = array.shape
    return Vectors(source, rows, width, read, held)


def _npy(path: Path) -> np.ndarray:
    try:
        loaded: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # its header is Python, and is parsed by Python's own tokenizer
        said = (str(error).split("\n")[0] or type(error).__name__).rstrip(".")
        raise DataError(
            f"{path}: cannot be read as .npy ({said}). Write it with "
            f"{quoted(['numpy.save'])} as an array of numbers."
        ) from error
    return loaded
