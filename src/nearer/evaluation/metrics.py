"""Which metrics an evaluation reports, by name, and their values per query. Defines no metric."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from nearer.errors import UnknownName, UsageError, did_you_mean
from nearer.evaluation import retrieval  # noqa: F401  registers the nine
from nearer.evaluation.docarray import DOCARRAY_METRICS
from nearer.evaluation.metric import METRICS, Direction, Metric, RankedHits, metric

__all__ = [
    "DOCARRAY_METRICS",
    "METRICS",
    "Metric",
    "RankedHits",
    "choose",
    "compute_metrics",
    "metric",
    "metric_keys",
]

Definitions = Literal["trec", "docarray"]
"""Whose formulas: trec_eval's, or those of the system that came before."""


def choose(definitions: str = "trec", metrics: Sequence[str] | None = None) -> dict[str, Metric]:
    """The metrics of some definitions, by name; a user's own are part of both.

    Args:
        definitions: "trec" or "docarray".
        metrics: Names to choose; None for all there are.

    Raises:
        UnknownName: There are no such definitions, or no metric of that name.
    """
    if definitions not in get_args(Definitions):
        known = get_args(Definitions)
        raise UnknownName(
            f'there are no definitions "{definitions}"; choose {" or ".join(known)}.'
            + did_you_mean(definitions, known)
        )
    table = METRICS | DOCARRAY_METRICS if definitions == "docarray" else METRICS
    for name in metrics or ():
        if name not in table:
            raise UnknownName(
                f'there is no metric "{name}"; there are {", ".join(sorted(table))}.'
                + did_you_mean(name, table)
            )
    return {name: table[name] for name in (sorted(table) if metrics is None else metrics)}


def check_cutoffs(limit: int, cutoffs: Sequence[int]) -> None:
    """Hold that all are whole numbers of at least 1.

    Raises:
        UsageError: One is not.
    """
    for name, k in [("limit", limit), *(("cutoffs", k) for k in cutoffs)]:
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise UsageError(f"{name}: {k!r}; must be a whole number, at least 1")


def metric_keys(
    limit: int,
    cutoffs: Sequence[int] = (),
    definitions: str = "trec",
    metrics: Sequence[str] | None = None,
) -> dict[str, Direction]:
    """The names that an evaluation will report, each with its direction; computes nothing.

    Example:
        >>> list(metric_keys(20, cutoffs=[10], metrics=["ndcg_at_k", "r_precision"]))
        ['ndcg_at_k', 'ndcg@10', 'r_precision']
    """
    check_cutoffs(limit, cutoffs)
    keys: dict[str, Direction] = {}
    for one in choose(definitions, metrics).values():
        keys[one.name] = one.direction
        if one.takes_cutoff:
            keys.update({one.at(k): one.direction for k in cutoffs})
    return keys


def compute_metrics(
    hits: RankedHits,
    limit: int,
    cutoffs: Sequence[int] = (),
    metrics: Sequence[str] | None = None,
    definitions: str = "trec",
) -> dict[str, np.ndarray]:
    """Compute metrics of every query; the value of an evaluation is the plain mean of each.

    A query with nothing relevant counts 0 and is not left out, as in `trec_eval -c`.

    Args:
        hits: What came back. Ranks beyond the deepest cutoff are read only by metrics that need
            the top R.
        limit: The k of bare names ("ndcg_at_k").
        cutoffs: Further k, each reported as "ndcg@10"; may be larger than `limit`.
        metrics: Names to choose; None for all.
        definitions: "trec" or "docarray".

    Returns:
        Each name with its values, shape (queries,), float64; the names of `metric_keys`.

    Raises:
        UnknownName: There are no such definitions, or no such metric.
        UsageError: A cutoff below 1, hits that were cut off above what a metric reads, or a metric
            that did not give one number for each query.
    """
    check_cutoffs(limit, cutoffs)
    values: dict[str, np.ndarray] = {}
    for one in choose(definitions, metrics).values():
        if one.whole and np.any((hits.returned >= hits.depth) & (hits.relevant > hits.depth)):
            raise UsageError(
                f'"{one.name}" reads the top R of each query, R is up to '
                f"{hits.relevant.max()}, and only the top {hits.depth} were searched"
            )
        values[one.name] = _compute(one, hits, limit)
        if one.takes_cutoff:
            values.update({one.at(k): _compute(one, hits, k) for k in cutoffs})
    return values


def _compute(one: Metric, hits: RankedHits, k: int) -> np.ndarray:
    value = np.asarray(one.compute(hits, k), dtype=np.float64)
    if value.shape != (len(hits.gains),):
        raise UsageError(
            f'metric "{one.name}" gave shape {value.shape} for {len(hits.gains)} queries; '
            "it must give one number for each"
        )
    return value
