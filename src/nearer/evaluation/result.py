"""What an evaluation hands back: means, and everything query by query. Writes no files."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

REVERSE = "reverse_"
"""What stands before a metric's name where the index asked and the queries were searched."""


@dataclass(frozen=True)
class EvaluationResult:
    """The outcome of one evaluation.

    Attributes:
        metrics: Mean over all queries of each metric, by its bare name ("ndcg_at_k", "ndcg@10").
        per_query: The same by query, each of shape (queries,).
        rows: Shape (queries, limit), int64: index rows found, nearest first; -1 where none is.
        scores: Shape (queries, limit), float64; -inf where none is.
        first_relevant: Shape (queries,), int64: rank of the first relevant row among those, from
            1; 0 where none of them is.
        queries: How many queries counted: all of them.
        queries_without_relevant: How many of them have nothing relevant in the index; they count
            0 in every mean.
        index: How many rows were searched.
        seconds: How long it took, embedding included.
        distinct: How many different items there were to embed.
        encoded: How many items were handed to the encoder.
        reused: How many were not, as they equal one that was.
        reverse: The same the other way round, where that was asked for: the rows of the index are
            the queries, and the queries are searched.
    """

    metrics: dict[str, float]
    per_query: dict[str, np.ndarray]
    rows: np.ndarray
    scores: np.ndarray
    first_relevant: np.ndarray
    queries: int
    queries_without_relevant: int
    index: int
    seconds: float
    distinct: int = 0
    encoded: int = 0
    reused: int = 0
    reverse: "EvaluationResult | None" = None

    @property
    def reported(self) -> dict[str, float]:
        """The metrics of both directions: "ndcg_at_k", and "reverse_ndcg_at_k"."""
        back = {} if self.reverse is None else self.reverse.metrics
        return self.metrics | {f"{REVERSE}{name}": value for name, value in back.items()}

    def to_arrow(self, query_ids: pa.ChunkedArray, index_ids: pa.ChunkedArray) -> pa.Table:
        """One row for each query, in order, for comparing two evaluations query by query.

        Args:
            query_ids: Strings, one for each query.
            index_ids: Strings, one for each index row.

        Returns:
            Columns "query", "hits" (ids, nearest first), "scores", "first_relevant" (rank, 0 for
            none), then each metric under its name.
        """
        there = self.rows >= 0
        ends = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
        offsets = pa.array(ends, pa.int64())
        ids = plain(index_ids).take(pa.array(self.rows[there]))
        columns = {
            "query": plain(query_ids),
            "hits": pa.LargeListArray.from_arrays(offsets, ids),
            "scores": pa.LargeListArray.from_arrays(offsets, pa.array(self.scores[there])),
            "first_relevant": pa.array(self.first_relevant, pa.int64()),
        }
        columns.update({name: pa.array(values) for name, values in self.per_query.items()})
        return pa.table(columns)


def plain(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Take a column as one array of strings with 64-bit offsets, so that no taking overflows."""
    column = column.cast(pa.large_string())
    if isinstance(column, pa.ChunkedArray):
        return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column
