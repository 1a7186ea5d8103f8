"""From embeddings to an EvaluationResult: search, judge, average. Knows no encoders."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nearer.errors import DataError
from nearer.evaluation.distances import Distance, checked, known_distance
from nearer.evaluation.metrics import RankedHits, check_cutoffs, choose, compute_metrics
from nearer.evaluation.relevance import Relevance
from nearer.evaluation.result import EvaluationResult
from nearer.evaluation.search import MEMORY_BUDGET, Blocks, Neighbours, Steps, search
from nearer.evaluation.sharding import Shard

PAIR_BYTES = 64
"""Bytes that a query takes for each rank while it is searched and judged, about."""

logger = logging.getLogger("nearer")


@dataclass(frozen=True)
class Measure:
    """What is measured, checked as soon as it is made.

    Args:
        limit: The k of the metrics, and how many hits of each query are kept.
        cutoffs: Further k; may be larger than `limit`, the search then goes deeper.
        distance: "cosine", "dot" or "euclidean".
        definitions: "trec" or "docarray".
        metrics: Names to report; None for all there are.
        memory_budget: Bytes held beside the embeddings and the result, about.
        device: Of torch, "cuda" say, to search on; None for numpy. The result is the same.

    Raises:
        UnknownName: No such distance, definitions or metric.
        UsageError: A cutoff below 1.
    """

    limit: int = 20
    cutoffs: Sequence[int] = ()
    distance: Distance = "cosine"
    definitions: str = "trec"
    metrics: Sequence[str] | None = None
    memory_budget: int = MEMORY_BUDGET
    device: str | None = None

    def __post_init__(self) -> None:
        check_cutoffs(self.limit, self.cutoffs)
        known_distance(self.distance)
        choose(self.definitions, self.metrics)

    @property
    def top(self) -> int:
        """The deepest cutoff."""
        return max(self.limit, *self.cutoffs, 0)

    def plan(self, relevance: Relevance, queries: int, sliced: bool) -> tuple[int, list[str]]:
        """How deep to search and what to report.

        Metrics of the top R are left out, with a warning, where their ranking does not fit the
        budget: as a whole, or, `sliced`, for a single query.
        """
        chosen = choose(self.definitions, self.metrics)
        whole = [name for name, metric in chosen.items() if metric.whole]
        deepest = int(relevance.counts.max(initial=0))
        if not whole or deepest <= self.top:
            return self.top, list(chosen)
        needed = PAIR_BYTES * deepest * (1 if sliced else queries)
        if needed <= self.memory_budget // 2:
            return deepest, list(chosen)
        logger.warning(
            "%s left out: it reads the top R of each query and R is up to %d, which takes "
            "%d MB of a memory budget of %d MB; give a larger memory_budget",
            " and ".join(whole),
            deepest,
            2 * needed >> 20,
            self.memory_budget >> 20,
        )
        return self.top, [name for name in chosen if name not in whole]


def score(
    query_embeddings: np.ndarray,
    index_embeddings: np.ndarray | None,
    relevance: Relevance,
    *,
    own_rows: np.ndarray | None = None,
    limit: int = 20,
    cutoffs: Sequence[int] = (),
    distance: Distance = "cosine",
    definitions: str = "trec",
    metrics: Sequence[str] | None = None,
    memory_budget: int = MEMORY_BUDGET,
    advance: Callable[[int], None] | None = None,
    device: str | None = None,
) -> EvaluationResult:
    """Evaluate embeddings that are there already.

    Args:
        query_embeddings: Shape (queries, dimension), float32.
        index_embeddings: Shape (rows, dimension), float32; None where the queries are the index,
            and each query's own row is left out.
        relevance: What is relevant to what, without each query's own row.
        own_rows: Shape (queries,): the index row that is the query itself, which it does not find;
            -1 or None for none.
        limit: The k of the metrics, and how many hits of each query are kept.
        cutoffs: Further k ("ndcg@10").
        distance: "cosine", "dot" or "euclidean".
        definitions: "trec" or "docarray".
        metrics: Names to report; None for all there are.
        memory_budget: Bytes held beside the embeddings and the result, about.
        advance: Called with the number of index rows matched since the last call.
        device: Of torch, "cuda" say, to search on; None for numpy. The result is the same.

    Raises:
        DataError: No queries, no index, embeddings that are not finite or do not fit each other.
        UnknownName: No such distance, definitions or metric.
        UsageError: A limit or cutoff below 1.

    Example:
        >>> from nearer.evaluation.relevance import LabelRelevance
        >>> vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], dtype=np.float32)
        >>> labels = np.array([0, 0, 1, 1])
        >>> relevance = LabelRelevance(labels, labels, 2, own_rows=np.arange(4))
        >>> score(vectors, None, relevance, limit=1).metrics["hit_at_k"]
        1.0
    """
    began = time.perf_counter()
    measure = Measure(limit, cutoffs, distance, definitions, metrics, memory_budget, device)
    queries = checked(query_embeddings, "query")
    if index_embeddings is None:
        index = queries
        own_rows = np.arange(len(queries)) if own_rows is None else own_rows
    else:
        index = checked(index_embeddings, "index")
    return score_index(queries, index, len(index), relevance, own_rows, measure, advance, began)


def score_index(
    queries: np.ndarray,
    index: np.ndarray | Blocks,
    size: int,
    relevance: Relevance,
    own_rows: np.ndarray | None,
    measure: Measure,
    advance: Callable[[int], None] | None,
    began: float,
    shard: Shard | None = None,
    first: int = 0,
) -> EvaluationResult:
    """Evaluate against an index that is there, or that comes in blocks and is seen once.

    Args:
        queries: Shape (queries, dimension), float32.
        index: An array, or an iterable of `(first row, rows)`.
        size: Rows of the index, those of other processes included.
        relevance: What is relevant to what.
        own_rows: As for `score`.
        measure: What is measured.
        advance: Called with the number of index rows matched since the last call.
        began: When the evaluation began, of `time.perf_counter`.
        shard: Of which processes this one is, where each of them has a part of the index.
        first: Where this process's part begins in the whole index, if that is an array.
    """
    if not len(queries) or not size:
        raise DataError(f"nothing to evaluate: {len(queries)} queries, {size} index rows")
    if len(relevance.counts) != len(queries):
        raise DataError(
            f"relevance is of {len(relevance.counts)} queries, and there are {len(queries)}"
        )
    depth, names = measure.plan(relevance, len(queries), isinstance(index, np.ndarray))
    parts = []
    shard = shard or Shard(None)
    for part, found in _ranked(queries, index, own_rows, depth, measure, advance, first):
        near = shard.merge(found, depth)
        rows = np.arange(len(queries))[part]
        hits = RankedHits(
            gains=relevance.gains(rows, near.rows),
            returned=(near.rows >= 0).sum(axis=1),
            relevant=relevance.counts[part],
            ideal=relevance.ideal(rows, measure.top),
        )
        rank = hits.first_relevant
        values = compute_metrics(hits, measure.limit, measure.cutoffs, names, measure.definitions)
        values[""] = np.where(rank <= measure.limit, rank, 0)
        kept = slice(measure.limit)
        parts.append((near.rows[:, kept].copy(), near.scores[:, kept].copy(), values))
    per_query = {key: np.concatenate([part[2][key] for part in parts]) for key in parts[0][2]}
    first_relevant = per_query.pop("")
    return EvaluationResult(
        metrics={name: float(values.mean()) for name, values in per_query.items()},
        per_query=per_query,
        rows=np.concatenate([part[0] for part in parts]),
        scores=np.concatenate([part[1] for part in parts]),
        first_relevant=first_relevant,
        queries=len(queries),
        queries_without_relevant=int((relevance.counts == 0).sum()),
        index=size,
        seconds=time.perf_counter() - began,
    )


def _ranked(
    queries: np.ndarray,
    index: np.ndarray | Blocks,
    own_rows: np.ndarray | None,
    depth: int,
    measure: Measure,
    advance: Callable[[int], None] | None,
    first: int,
) -> Iterator[tuple[slice, Neighbours]]:
    """Search; where the index is there, for as many queries at a time as fit half the budget."""
    step = len(queries)
    if isinstance(index, np.ndarray):
        step = max(1, min(step, measure.memory_budget // (2 * PAIR_BYTES * depth)))
    done = Steps(len(queries), advance)
    for low in range(0, len(queries), step):
        part = slice(low, min(low + step, len(queries)))
        size = part.stop - part.start
        yield (
            part,
            search(
                queries[part],
                _block(index, first) if isinstance(index, np.ndarray) else index,
                depth,
                measure.distance,
                None if own_rows is None else own_rows[part],
                measure.memory_budget // 2,
                lambda rows, size=size: done(rows * size),  # type: ignore[misc]
                measure.device,
            ),
        )


def _block(index: np.ndarray, first: int) -> Blocks:
    """A part of the index as one block; none where the part is empty."""
    return [(first, index)] if len(index) else []
