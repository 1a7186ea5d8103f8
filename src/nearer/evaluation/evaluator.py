"""From an encoder and an evaluation set to a result: embed, search, judge. Reports to no one."""

import time
from collections.abc import Sequence
from dataclasses import replace

from nearer.encoder.protocol import Encoder, Track, device_of, untracked
from nearer.errors import DataError
from nearer.evaluation.distances import Distance
from nearer.evaluation.distinct import Distinct, Encode
from nearer.evaluation.evaluation_set import EvaluationSet, build_evaluation_set
from nearer.evaluation.on_device import search_device
from nearer.evaluation.result import EvaluationResult
from nearer.evaluation.scoring import Measure, score, score_index
from nearer.evaluation.search import MEMORY_BUDGET

__all__ = ["EvaluationSet", "build_evaluation_set", "evaluate", "score"]

BLOCK = 1 << 14
"""Index rows that are embedded, searched and let go at a time, where the whole is too large."""


def evaluate(
    encoder: Encoder,
    evaluation_set: EvaluationSet,
    *,
    limit: int = 20,
    cutoffs: Sequence[int] = (),
    distance: Distance = "cosine",
    definitions: str = "trec",
    metrics: Sequence[str] | None = None,
    truncate_dim: int | None = None,
    encode: Encode | None = None,
    track: Track = untracked,
    memory_budget: int = MEMORY_BUDGET,
) -> EvaluationResult:
    """Measure how well an encoder finds what is relevant.

    Queries are embedded as queries and the index as documents, equal items once. Embeddings of an
    index that takes more than half of the budget are searched block by block and let go. Where the
    queries are the index they are embedded once, as queries, and search each other.

    Args:
        encoder: The model.
        evaluation_set: Queries, index and relevance.
        limit: The k of the metrics, and how many hits of each query are kept.
        cutoffs: Further k ("ndcg@10").
        distance: "cosine", "dot" or "euclidean".
        definitions: "trec" or "docarray".
        metrics: Names to report; None for all there are.
        truncate_dim: Evaluate only so many leading dimensions (Matryoshka models); None for all.
        encode: How to embed; None for `nearer.encoder.embedding.encode`. A cache goes here.
        track: Shows progress: "Embedding queries", "Embedding index" and "Matching".
        memory_budget: Bytes held beside the queries' embeddings and the result, about.

    Raises:
        DataError: Embeddings that are not finite, or whose dimensions differ between the sides.
        UnknownName: No such distance, definitions or metric.
        UsageError: A limit, cutoff or truncate_dim out of range.
    """
    began = time.perf_counter()
    device = search_device(device_of(encoder.module))
    measure = Measure(limit, cutoffs, distance, definitions, metrics, memory_budget, device)
    if encode is None:
        from nearer.encoder.embedding import encode as embed

        encode = embed
    query, searched = evaluation_set.query, evaluation_set.searched
    if not len(query) or not len(searched):
        raise DataError(f"nothing to evaluate: {len(query)} queries, {len(searched)} index rows")
    relevance, own = evaluation_set.relevance, evaluation_set.own_rows
    # Queries that are rows of the index are embedded with it, though only some of them ask.
    asked = query if own is None else searched
    with track("Embedding queries", len(asked)) as advance:
        pictures = asked.modality == "image"
        left = Distinct(encoder, asked.items, "query", encode, advance, truncate_dim, pictures)
        queries = left.all(BLOCK)
    encoded, distinct, rows = left.encoded, left.distinct, len(asked)
    size = len(searched)
    if own is not None:
        index, queries = queries, queries if evaluation_set.index is None else queries[own]
        with track("Matching", size) as matched:
            result = score_index(queries, index, size, relevance, own, measure, matched, began)
    else:
        with track("Embedding index", size) as advance, track("Matching", size) as matched:
            pictures = searched.modality == "image"
            items = searched.items
            right = Distinct(encoder, items, "document", encode, advance, truncate_dim, pictures)
            fits = 4 * size * queries.shape[1] <= memory_budget // 2
            blocks = right.all(BLOCK) if fits else right.blocks(BLOCK)
            result = score_index(queries, blocks, size, relevance, None, measure, matched, began)
        encoded, distinct = encoded + right.encoded, distinct + right.distinct
        rows += size
    return replace(result, distinct=distinct, encoded=encoded, reused=rows - encoded)
