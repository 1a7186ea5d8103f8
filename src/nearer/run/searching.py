"""Searching a file with a model, query by query; embeds the file once. Prints nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearer.data.evaluation_sets import read_collection
from nearer.data.pictures import picture_items
from nearer.encoder.protocol import Track, untracked
from nearer.encoder.sharing import SharedEmbeddings
from nearer.encoder.store import default_store
from nearer.errors import ModelError, NearerError
from nearer.evaluation.distances import Distance
from nearer.evaluation.search import search
from nearer.run.use import open_encoder


@dataclass(frozen=True)
class Hit:
    """A row that was found.

    Attributes:
        rank: From 1.
        id: Of the row.
        score: Higher is nearer.
        item: Its text, or the path of its picture.
    """

    rank: int
    id: str
    score: float
    item: str


class SearchedFile:
    """The rows of an index file, embedded; embeddings that are kept are not computed again.

    Args:
        model: Artifact, export, catalog name, hub id, local folder or an encoder.
        index_data: A file with a column `text` or `image`, or rows.
        columns: Our column names to yours.
        distance: How embeddings are compared.
        device: "auto", "cpu", "cuda" or "mps".
        track: Shows progress.

    Raises:
        UsageError: The file cannot be used, before a model is loaded, or the model cannot.

    Example:
        >>> rows = [{"id": "a", "text": "red shoes"}, {"id": "b", "text": "a hat"}]
        >>> SearchedFile("minilm", rows).find("hat", limit=1)[0].id  # doctest: +SKIP
        'b'
    """

    def __init__(
        self,
        model: Any,
        index_data: Any,
        columns: Mapping[str, str] | None = None,
        distance: Distance = "cosine",
        device: str = "auto",
        track: Track = untracked,
    ) -> None:
        self._rows = read_collection(index_data, columns, role="index")
        self._distance: Distance = distance
        self._encoder = open_encoder(model, device)
        self._encode = SharedEmbeddings(default_store())
        items = self._rows.items.to_pylist()
        self.pictures = self._rows.modality == "image"
        if self.pictures:
            items = picture_items(items)
        with track("Embedding index", len(items)) as advance:
            self._index = self._encode(self._encoder, items, "document", advance=advance)

    def __len__(self) -> int:
        return len(self._rows)

    def _shown(self, row: int) -> str:
        """The text or path of a row; of a picture that was given as bytes the id."""
        item = self._rows.items[row].as_py()
        return item if isinstance(item, str) else str(self._rows.ids[row].as_py())

    def find(self, query: str, limit: int = 10) -> list[Hit]:
        """The nearest rows to a query.

        Args:
            query: A text; among pictures, a path that is a file is a picture.
            limit: Most rows.

        Raises:
            NearerError: The query cannot be embedded.
        """
        item: Any = query
        if self.pictures and Path(query).expanduser().is_file():
            item = Path(query).expanduser()
        try:
            embedded = self._encode(self._encoder, [item], "query")
        except NearerError:
            raise
        except Exception as error:  # of whatever prepares the model's input
            kind = "a picture" if isinstance(item, Path) else "a text"
            hint = "; there is no file of that name" if self.pictures and item is query else ""
            said = str(error).split("\n")[0]
            raise ModelError(
                f'the model cannot embed "{query:.60}", {kind}{hint} ({said})'
            ) from error
        found = search(embedded, self._index, min(limit, len(self._rows)), self._distance)
        return [
            Hit(rank, self._rows.ids[row].as_py(), score, self._shown(row))
            for rank, (row, score) in enumerate(
                zip(found.rows[0].tolist(), found.scores[0].tolist(), strict=True), start=1
            )
        ]
