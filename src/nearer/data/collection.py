"""One side of an evaluation, queries or index: ids, items and labels in Arrow. Reads no files."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa


@dataclass(frozen=True)
class Collection:
    """Rows that are embedded and searched; they stay in Arrow.

    Attributes:
        ids: Unique strings, one for each row.
        items: Texts, or paths of pictures (absolute), as strings; or the bytes of pictures.
        modality: What the items are.
        labels: Class of each row as a string, or None where relevance is by qrels.
        source: Where the rows came from, for messages ("corpus.jsonl").
        skipped: Rows left out because they could not be used.
        reasons: Why, for the first of them: 'line 3, column "text": empty text'.
    """

    ids: pa.ChunkedArray
    items: pa.ChunkedArray
    modality: Literal["text", "image"]
    labels: pa.ChunkedArray | None
    source: str
    skipped: int = 0
    reasons: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)
