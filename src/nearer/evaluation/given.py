"""An evaluation of embeddings that are there already; no encoder, no torch."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np

from nearer.errors import DataError
from nearer.evaluation.evaluation_set import EvaluationSet
from nearer.evaluation.relevance import turned
from nearer.evaluation.result import EvaluationResult
from nearer.evaluation.scoring import Measure, score_index
from nearer.evaluation.vectors import Vectors

Track = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""As `nearer.encoder.protocol.Track`, which needs torch."""


def check_vectors(query: Vectors, index: Vectors | None, data: EvaluationSet, queries: int) -> None:
    """Check that embeddings belong to the rows of an evaluation set, by their position.

    Args:
        query: Of the query data.
        index: Of the index; None where the queries are the index.
        data: The set.
        queries: Rows of the query data, whether they ask or not.

    Raises:
        DataError: There are not as many of them as rows, or their dimensions differ.
    """
    sides = [(query, data.query, queries)]
    if index is not None:
        sides.append((index, data.searched, len(data.searched)))
    for vectors, side, rows in sides:
        if vectors.rows != rows:
            left = f" ({side.skipped:,} more left out)" if side.skipped else ""
            raise DataError(
                f"{vectors.source} has {vectors.rows:,} embeddings, and {side.source} has "
                f"{rows:,} rows{left}; they must belong to each other, row by row"
            )
    if index is not None and index.dimension != query.dimension:
        raise DataError(
            f"{query.source} has {query.dimension} dimensions and {index.source} has "
            f"{index.dimension}; both sides must be embedded in one space"
        )


def evaluate_vectors(
    query: Vectors,
    index: Vectors | None,
    data: EvaluationSet,
    measure: Measure,
    track: Track,
    both_directions: bool = False,
) -> EvaluationResult:
    """Measure how well embeddings find what is relevant.

    Those of the queries are held; those of an index that would take more than half of the budget
    are read and searched block by block.

    Args:
        query: Of the query data, also of queries that do not ask.
        index: Of the index; None where the queries are the index.
        data: Queries, index and relevance.
        measure: What is measured.
        track: Shows progress: "Matching".
        both_directions: Also let the rows of the index ask, among all queries.
    """
    began = time.perf_counter()
    searched = query if index is None else index
    fits = searched.held or 4 * searched.rows * searched.dimension <= measure.memory_budget // 2
    rows = searched.all() if fits or both_directions else searched.blocks()
    if data.asking is not None:
        queries = query.take(data.asking)
    elif index is None and isinstance(rows, np.ndarray):
        queries = rows
    else:
        queries = query.all()
    with track("Matching", searched.rows) as advance:
        result = score_index(
            queries, rows, searched.rows, data.relevance, data.own_rows, measure, advance, began
        )
    if not both_directions:
        return result
    assert isinstance(rows, np.ndarray)
    found = turned(data.relevance, len(rows))
    with track("Matching", len(queries)) as advance:
        back = score_index(
            rows, queries, len(queries), found, None, measure, advance, time.perf_counter()
        )
    return replace(result, reverse=back, seconds=result.seconds + back.seconds)
