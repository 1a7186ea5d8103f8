"""Queries, index and what is relevant to what, in one value. Reads no files, embeds nothing."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.data.collection import Collection
from nearer.errors import DataError
from nearer.evaluation.relevance import JudgedRelevance, LabelRelevance, Relevance

Judgments = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Query rows, index rows and grades, of one length."""


@dataclass(frozen=True)
class EvaluationSet:
    """What a model is evaluated on.

    Attributes:
        query: The queries.
        index: What is searched; None where the queries are the index.
        relevance: What is relevant to what.
        own_rows: Shape (queries,): the index row that is the query itself; None where the queries
            are no part of the index.
        name: How it is called in messages.
        asking: The queries as rows of the query data where only some of it ask; None for all.
            Where queries are the index, `index` is then the whole query data.
    """

    query: Collection
    index: Collection | None
    relevance: Relevance
    own_rows: np.ndarray | None = None
    name: str = ""
    asking: np.ndarray | None = None

    @property
    def searched(self) -> Collection:
        """The index, or the queries where there is none."""
        return self.query if self.index is None else self.index


def build_evaluation_set(
    query: Collection,
    index: Collection | None = None,
    judgments: Judgments | None = None,
    name: str = "",
) -> EvaluationSet:
    """Put queries, index and relevance together.

    Args:
        query: The queries.
        index: What is searched. None searches the queries themselves: each query's own row is
            neither found nor relevant.
        judgments: Query rows, index rows and grades (qrels, pairs). None takes equal labels; a row
            without a label is relevant to nothing.
        name: How it is called in messages.

    Raises:
        DataError: No judgments and no labels on a side, no rows, or judgments of rows that are not
            there.
    """
    searched = query if index is None else index
    for side in (query, searched):
        if not len(side):
            raise DataError(f"{side.source} has no rows to evaluate on")
    own = np.arange(len(query)) if index is None else None
    if judgments is None:
        return EvaluationSet(query, index, _by_labels(query, searched, own), own, name)
    queries, rows, grades = judgments
    if len(rows) and int(np.max(rows)) >= len(searched):
        raise DataError(
            f"judgments name row {int(np.max(rows))} of {searched.source}, which has "
            f"{len(searched)} rows"
        )
    judged = JudgedRelevance(len(query), queries, rows, grades, own)
    return EvaluationSet(query, index, judged, own, name)


def _by_labels(query: Collection, index: Collection, own: np.ndarray | None) -> LabelRelevance:
    if query.labels is None or index.labels is None:
        lacking = [side.source for side in (query, index) if side.labels is None]
        has = "has" if len(dict.fromkeys(lacking)) == 1 else "have"
        raise DataError(
            f'{" and ".join(dict.fromkeys(lacking))} {has} no column "label", and there are no '
            "judgments; give qrels, or a label on both sides"
        )
    labels = [*query.labels.cast(pa.string()).chunks, *index.labels.cast(pa.string()).chunks]
    encoded = pa.chunked_array(labels, pa.string()).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # older pyarrow, or no chunks
        encoded = pa.concat_arrays(encoded.chunks)
    encoded = encoded.dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    n = len(query)
    return LabelRelevance(codes[:n], codes[n:], len(encoded.dictionary), own)
