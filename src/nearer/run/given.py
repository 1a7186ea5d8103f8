"""Evaluating embeddings that a user has already: read, check, search; no model, no torch."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nearer.errors import DataError, SpecError
from nearer.evaluation.given import Track, check_vectors, evaluate_vectors
from nearer.evaluation.reading import ReadSet, read_evaluation_set
from nearer.evaluation.result import EvaluationResult
from nearer.evaluation.scoring import Measure
from nearer.evaluation.vector_columns import NAME
from nearer.evaluation.vectors import Vectors, open_vectors
from nearer.run.faults import Faults

LOGGER = logging.getLogger("nearer")
PREFIX = "embeddings"
"""What stands before the metrics' names where no name is given."""


def evaluate_embeddings(
    embeddings: Any,
    reading: Mapping[str, Any],
    measure: Measure,
    truncate_dim: int | None,
    track: Track,
) -> tuple[EvaluationResult, ReadSet]:
    """Score embeddings of queries and index.

    Args:
        embeddings: One array or file for queries that are the index, or two of them.
        reading: How the rows that they belong to are read; see `read_evaluation_set`.
        measure: What is measured.
        truncate_dim: Evaluate only so many leading dimensions.
        track: Shows progress: "Matching".

    Raises:
        UsageError: Something cannot be read, or does not belong to each other; all at once.
    """
    columns = dict(reading["columns"] or {})
    column = columns.pop(NAME, None)
    faults = Faults()
    sides = faults.get(lambda: _sides(embeddings, reading["index_data"] is not None)) or []
    opened = [
        faults.get(partial(_open, source, what, column, truncate_dim)) for source, what in sides
    ]
    options = {**reading, "columns": columns, "by_position": True}
    read = faults.get(lambda: read_evaluation_set(**options))
    faults.report()
    query, index = opened[0], opened[1] if len(opened) > 1 else None
    check_vectors(query, index, read.data, read.queries)
    for note in read.notes:
        LOGGER.warning("%s", note)
    try:
        both = bool(reading.get("both_directions"))
        return evaluate_vectors(query, index, read.data, measure, track, both), read
    except DataError as error:
        names = " and ".join(vectors.source for vectors in (query, index) if vectors is not None)
        said = str(error)
        raise DataError(said if names in said else f"{names}: {said}") from error


def _sides(embeddings: Any, has_index: bool) -> list[tuple[Any, str]]:
    """What was given for queries and index, each with how messages call it."""
    if not isinstance(embeddings, tuple | list):
        if has_index:
            raise SpecError(
                [
                    "embeddings: one is given, and index_data too; give two: those of the queries, "
                    "then those of the index"
                ]
            )
        return [(embeddings, "embeddings")]
    if len(embeddings) == 1:
        return _sides(embeddings[0], has_index)
    if len(embeddings) != 2 or not all(_is_vectors(side) for side in embeddings):
        raise SpecError(
            [
                f"embeddings: {len(embeddings)} things; give an array or a file, or two of them: "
                "those of the queries and those of the index"
            ]
        )
    if not has_index:
        raise SpecError(
            [
                "embeddings: two are given, and no index_data; give the rows of the second, or "
                "leave it out where the queries search each other"
            ]
        )
    return [
        (embeddings[0], "embeddings of the queries"),
        (embeddings[1], "embeddings of the index"),
    ]


def _is_vectors(side: Any) -> bool:
    return isinstance(side, str | Path) or getattr(side, "ndim", 0) == 2


def _open(source: Any, what: str, column: str | None, truncate_dim: int | None) -> Vectors:
    return open_vectors(source, what, column).cut(truncate_dim)
