"""From an encoder and an evaluation set to a result: embed, search, judge. Reports to no one."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nearer.data.collection import Collection
from nearer.encoder.protocol import Encoder, Side, Track, device_of, untracked
from nearer.errors import DataError
from nearer.evaluation.distances import Distance
from nearer.evaluation.distinct import Distinct, Encode
from nearer.evaluation.evaluation_set import EvaluationSet, build_evaluation_set
from nearer.evaluation.on_device import search_device
from nearer.evaluation.relevance import turned
from nearer.evaluation.result import EvaluationResult
from nearer.evaluation.scoring import Measure, score, score_index
from nearer.evaluation.search import MEMORY_BUDGET, Blocks
from nearer.evaluation.sharding import Processes, Shard, shifted

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
    processes: Processes | None = None,
    both_directions: bool = False,
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
        processes: Those that share the evaluation, each of them in this function: each embeds a
            part of the queries and of the index and searches that part, and all get the whole
            result. Items that are equal and lie in two parts are embedded twice.
        both_directions: Also let the rows of the index ask, among all queries, by the same
            embeddings: `result.reverse`. The embeddings of both sides are then held, whatever the
            budget. Not where queries are the index, nor where only some of them ask.

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
    shard, size = Shard(processes), len(searched)

    def side(rows: Collection, name: Side, advance: Callable[[int], None]) -> Distinct:
        low, high = shard.part(rows.items, rows.modality == "image")
        return Distinct(
            encoder,
            rows.items.slice(low, high - low),
            name,
            encode,
            shard.advancing(advance),
            truncate_dim,
            rows.modality == "image",
        )

    def scored(
        rows: np.ndarray | Blocks, low: int, advance: Callable[[int], None]
    ) -> EvaluationResult:
        step = shard.advancing(advance)
        return score_index(
            queries, rows, size, relevance, own, measure, step, began, shard=shard, first=low
        )

    back: EvaluationResult | None = None
    with shard.obedient():
        low, high = shard.part(asked.items, asked.modality == "image")
        with track("Embedding queries", high - low) as advance:
            left = side(asked, "query", advance)
            part = left.all(BLOCK) if len(left) else None
        queries = shard.together(part)
        encoded, distinct, rows = left.encoded, left.distinct, len(asked)
        if own is not None:
            index = queries[low:high]
            queries = queries if evaluation_set.index is None else queries[own]
            with track("Matching", high - low) as matched:
                result = scored(index, low, matched)
        else:
            low, high = shard.part(searched.items, searched.modality == "image")
            with (
                track("Embedding index", high - low) as advance,
                track("Matching", high - low) as matched,
            ):
                right = side(searched, "document", advance)
                too_large = 4 * size * queries.shape[1] > memory_budget // 2
                if too_large and not both_directions:
                    result = scored(shifted(right.blocks(BLOCK), low), low, matched)
                else:
                    whole = right.all(BLOCK) if len(right) else queries[:0]
                    result = scored(whole, low, matched)
            if both_directions:
                asking = shard.together(whole if len(right) else None)
                low, high = shard.part(query.items, query.modality == "image")
                found, sought = turned(relevance, size), queries[low:high]
                with track("Matching", high - low) as matched:
                    step = shard.advancing(matched)
                    back = score_index(
                        *(asking, sought, len(query), found, None, measure, step, began),
                        shard=shard,
                        first=low,
                    )
            encoded, distinct = encoded + right.encoded, distinct + right.distinct
            rows += size
        encoded, distinct = shard.total(encoded, distinct)
    result = replace(result, distinct=distinct, encoded=encoded, reused=rows - encoded)
    return result if back is None else replace(result, reverse=back, seconds=back.seconds)
