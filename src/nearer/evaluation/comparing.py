"""Matching two tables of ranks by query and comparing them. Pure: tables in, a value out."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.errors import DataError, UsageError
from nearer.evaluation.bootstrap import CONFIDENCE, RESAMPLES, bootstrap_mean
from nearer.evaluation.comparison import Comparison, paired_differences
from nearer.evaluation.metric import Direction
from nearer.evaluation.result import plain


def compare_ranks(
    a: pa.Table,
    b: pa.Table,
    metric: str,
    depth: int,
    *,
    direction: Direction = "max",
    notes: tuple[str, ...] = (),
    labels: tuple[str, str] = ("a", "b"),
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Comparison:
    """Compare two rankings on the queries that both have, matched by id.

    Args:
        a: A table of `EvaluationResult.to_arrow`: "query", "hits" and the metric.
        b: The other one.
        metric: Name of a column of both.
        depth: Ranks to compare; a document beyond them is out of the top.
        direction: "max" where more is better.
        notes: What a reader should know; kept as they are.
        labels: What the sides are called.
        resamples: Draws of the bootstrap.
        confidence: Of the interval.
        seed: Of the draws.

    Raises:
        DataError: No query is on both sides, or the metric is not a number somewhere.
        UsageError: A depth below 1.
    """
    if depth < 1:
        raise UsageError(f"the ranks to compare are at least 1; got {depth}")
    ids = plain(a["query"]), plain(b["query"])
    there = pc.index_in(ids[0], value_set=ids[1])
    rows_a = pc.indices_nonzero(there.is_valid())
    rows_b = there.drop_null()
    if not len(rows_a):
        raise DataError(
            f"the two have no query in common: {len(a):,} and {len(b):,} queries, such as "
            f"{_first(ids[0])} and {_first(ids[1])}"
        )
    shared = ids[0].take(rows_a)
    values = [_values(t, rows, metric, shared) for t, rows in ((a, rows_a), (b, rows_b))]
    hits = [pc.take(_whole(t["hits"]), rows) for t, rows in ((a, rows_a), (b, rows_b))]
    return Comparison(
        metric=metric,
        direction=direction,
        depth=depth,
        a=float(values[0].mean()),
        b=float(values[1].mean()),
        interval=bootstrap_mean(paired_differences(*values), resamples, confidence, seed),
        queries=shared,
        values_a=values[0],
        values_b=values[1],
        hits_a=hits[0],
        hits_b=hits[1],
        left_out=(len(a) - len(shared), len(b) - len(shared)),
        notes=notes,
        labels=labels,
    )


def _values(table: pa.Table, rows: pa.Array, metric: str, queries: pa.Array) -> np.ndarray:
    values: np.ndarray = table[metric].take(rows).to_numpy().astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise DataError(
            f'"{metric}" is not a number for {len(wrong):,} queries, the first: '
            f'"{queries[int(wrong[0])].as_py()}"; compare by another metric'
        )
    return values


def _whole(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def _first(ids: pa.Array) -> str:
    return f'"{ids[0].as_py()}"' if len(ids) else "none"
