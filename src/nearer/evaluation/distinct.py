"""Embeds the rows of a collection, equal items once, whole or block by block. Searches nothing."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from nearer.encoder.protocol import Encoder, Side
from nearer.errors import DataError, UsageError


class Encode(Protocol):
    """How items become embeddings; `nearer.encoder.embedding.encode`, or a cache around it."""

    def __call__(
        self,
        encoder: Encoder,
        items: Sequence[Any],
        side: Side,
        *,
        advance: Callable[[int], None] = ...,
    ) -> np.ndarray:
        """Embed items: shape (n, dimension), float32, in their order."""


class Distinct:
    """The rows of one side, embedded in order so that equal items are encoded once.

    Items that come again in a later block are the only embeddings that are held.

    Args:
        encoder: The model.
        items: Texts or paths, one for each row.
        side: "query" or "document".
        encode: How to embed.
        advance: Called with the number of rows done since the last call.
        truncate_dim: Keep only so many leading dimensions; None for all.
        pictures: Whether the items are paths of pictures.

    Attributes:
        encoded: Items handed to `encode` so far.
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
        array = pa.concat_arrays(items.chunks) if items.num_chunks else pa.array([], pa.string())
        coded = array.cast(pa.large_string()).dictionary_encode()
        self._items = coded.dictionary  # in order of their first row
        self._codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        self._last = np.zeros(len(self._items), dtype=np.int64)
        self._last[self._codes] = np.arange(len(self._codes))
        self.encoded = 0

    def __len__(self) -> int:
        return len(self._codes)

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
        for start in range(0, len(self), step):
            codes = self._codes[start : start + step]
            first, end = self.encoded, max(self.encoded, int(codes.max()) + 1)
            fresh = self._embed(first, end, len(codes))
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
            yield start, rows

    def _embed(self, first: int, end: int, rows: int) -> np.ndarray:
        items: list[Any] = self._items[first:end].to_pylist()
        if self._pictures:  # a picture is a path, not a text: its type tells the encoder
            items = [Path(item) for item in items]
        embedded = self._encode(self._encoder, items, self._side, advance=self._advance)
        self.encoded = end
        self._advance(rows - len(items))  # rows that equal one that is done
        width = embedded.shape[1]
        if embedded.shape[0] != len(items):
            raise UsageError(f"encode gave {embedded.shape[0]} embeddings for {len(items)} items")
        if self._truncate is not None and not 1 <= self._truncate <= width:
            raise UsageError(
                f"truncate_dim is {self._truncate}, and an embedding has {width} dimensions"
            )
        return np.asarray(embedded[:, : self._truncate], dtype=np.float32)
