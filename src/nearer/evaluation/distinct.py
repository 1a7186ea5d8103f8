"""Embeds the rows of a collection, equal items once, whole or block by block. Searches nothing."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from nearer.data.pictures import picture_items
from nearer.encoder.content import KEY_BYTES, content_keys
from nearer.encoder.protocol import Encoder, Side
from nearer.errors import DataError, UsageError

PIECE = 1 << 16
"""Items held as Python strings at a time while they are hashed."""


class Encode(Protocol):
    """How items become embeddings; `nearer.encoder.embedding.encode`, or a cache around it."""

    def __call__(
        self,
        encoder: Encoder,
        items: Sequence[Any],
        side: Side,
        *,
        advance: Callable[[int], None] = ...,
        fresh: Callable[[int], None] = ...,
    ) -> np.ndarray:
        """Embed items: shape (n, dimension), float32, in their order.

        `advance` is called with the number of items that are done, `fresh` with the number of
        those that had to be embedded.
        """


class Distinct:
    """The rows of one side, embedded in order so that equal items are encoded once.

    Items that come again in a later block are the only embeddings that are held.

    Args:
        encoder: The model.
        items: Texts, paths or bytes, one for each row.
        side: "query" or "document".
        encode: How to embed.
        advance: Called with the number of rows done since the last call.
        truncate_dim: Keep only so many leading dimensions; None for all.
        pictures: Whether the items are pictures.

    Attributes:
        encoded: Items that had to be embedded so far; the others were found, or equal one that was.
    """

    def __init__(
        self,
        encoder: Encoder,
        items: pa.ChunkedArray,
        side: Side,
        encode: Encode,
        advance: Callable[[int], None],
        truncate_dim: int | None = None,
        pictures: bool = False,
    ) -> None:
        self._encoder, self._side, self._encode = encoder, side, encode
        self._advance, self._truncate, self._pictures = advance, truncate_dim, pictures
        self._items = items
        self._codes = _codes(items)
        self._last = np.zeros(int(self._codes.max(initial=-1)) + 1, dtype=np.int64)
        self._last[self._codes] = np.arange(len(self._codes))
        self.encoded = 0

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def distinct(self) -> int:
        """How many different items there are."""
        return len(self._last)

    def all(self, step: int) -> np.ndarray:
        """Embed every row, `step` at a time: shape (rows, dimension)."""
        out: np.ndarray | None = None
        for start, rows in self.blocks(step):
            if out is None:
                out = np.empty((len(self), rows.shape[1]), dtype=np.float32)
            out[start : start + len(rows)] = rows
        if out is None:
            raise DataError("nothing to embed: there are no rows")
        return out

    def blocks(self, step: int) -> Iterator[tuple[int, np.ndarray]]:
        """Embed `step` rows at a time: `(first row, embeddings)` in order."""
        held_codes = np.zeros(0, dtype=np.int64)
        held: np.ndarray | None = None
        first = 0
        for start in range(0, len(self), step):
            codes = self._codes[start : start + step]
            end = max(first, int(codes.max()) + 1)
            fresh = self._embed(start, codes, first)
            if held is None:
                held = fresh[:0]
            old = codes < first
            rows = np.empty((len(codes), fresh.shape[1]), dtype=np.float32)
            rows[~old] = fresh[codes[~old] - first]
            rows[old] = held[np.searchsorted(held_codes, codes[old])]
            later = self._last[first:end] >= start + len(codes)
            still = self._last[held_codes] >= start + len(codes)
            held = np.concatenate([held[still], fresh[later]])
            held_codes = np.concatenate([held_codes[still], np.arange(first, end)[later]])
            first = end
            yield start, rows

    def _embed(self, start: int, codes: np.ndarray, first: int) -> np.ndarray:
        """Embed the items of a block that stand there for the first time, in order."""
        new, where = np.unique(codes, return_index=True)
        where = where[new >= first]
        block = self._items.slice(start, len(codes))
        items: list[Any] = block.take(pa.array(where)).to_pylist()
        if self._pictures:
            items = picture_items(items)
        embedded = self._encode(
            self._encoder, items, self._side, advance=self._advance, fresh=self._count
        )
        self._advance(len(codes) - len(items))  # rows that equal one that is done
        width = embedded.shape[1]
        if embedded.shape[0] != len(items):
            raise UsageError(f"encode gave {embedded.shape[0]} embeddings for {len(items)} items")
        if self._truncate is not None and not 1 <= self._truncate <= width:
            raise UsageError(
                f"truncate_dim is {self._truncate}, and an embedding has {width} dimensions"
            )
        return np.asarray(embedded[:, : self._truncate], dtype=np.float32)

    def _count(self, items: int) -> None:
        self.encoded += items


def _codes(items: pa.ChunkedArray) -> np.ndarray:
    """A number for each row, equal for equal items, in order of their first row.

    Made from hashes, a chunk at a time: the items themselves may be mapped from a file.
    """
    keys = [content_keys(chunk.to_pylist()) for part in items.chunks for chunk in _pieces(part)]
    whole = np.concatenate(keys) if keys else np.zeros((0, KEY_BYTES), dtype=np.uint8)
    data = [None, pa.py_buffer(whole.data)]
    array = pa.FixedSizeBinaryArray.from_buffers(pa.binary(KEY_BYTES), len(whole), data)
    codes = array.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return np.asarray(codes, dtype=np.int64)


def _pieces(array: pa.Array) -> Iterator[pa.Array]:
    for low in range(0, len(array), PIECE):
        yield array.slice(low, PIECE)
