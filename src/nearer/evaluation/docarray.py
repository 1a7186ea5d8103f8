"""The metrics as docarray defined them before 2023, to compare old numbers. Only for that.

docarray knew whether a hit is relevant, not how much, and judged the list that came back: what was
not retrieved changes nothing but recall and F1.
"""

import numpy as np

from nearer.evaluation.metric import Metric, RankedHits, metric, ratio

DOCARRAY_METRICS: dict[str, Metric] = {}
"""The nine under the same names as in `METRICS`."""


@metric("max", registry=DOCARRAY_METRICS)
def average_precision(hits: RankedHits, k: int) -> np.ndarray:
    """Mean precision at the relevant ranks of the list: divides by what was found, not by R."""
    found = hits.found[:, :k]
    precision = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    return ratio((precision * found).sum(axis=1), hits.hits(k))


@metric("max", registry=DOCARRAY_METRICS)
def dcg_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """Sum of rel / log2(rank), the first rank undiscounted: ranks 1 and 2 weigh the same."""
    return _discounted(hits.found[:, :k])


@metric("max", registry=DOCARRAY_METRICS)
def f1_score_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """2 p r / (p + r) of docarray's precision and recall."""
    precision, recall = precision_at_k(hits, k), recall_at_k(hits, k)
    return ratio(2 * precision * recall, precision + recall)


@metric("max", registry=DOCARRAY_METRICS)
def hit_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """1 if any of the top k is relevant, else 0."""
    return (hits.hits(k) > 0).astype(np.float64)


@metric("max", registry=DOCARRAY_METRICS)
def ndcg_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """DCG over that of the same list with its relevant hits first; one hit at rank 2 gives 1."""
    best = np.arange(min(k, hits.depth)) < hits.hits(k)[:, None]
    return ratio(_discounted(hits.found[:, :k]), _discounted(best))


@metric("max", registry=DOCARRAY_METRICS)
def precision_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """Relevant hits over min(k, length of the list)."""
    return ratio(hits.hits(k), np.minimum(hits.returned, k))


@metric("max", takes_cutoff=False, registry=DOCARRAY_METRICS)
def r_precision(hits: RankedHits, k: int) -> np.ndarray:
    """Precision at the last relevant rank of the list: docarray before 0.18 (October 2022).

    The logs that finetuner's documentation shows were made with it. Later releases divided by the
    number of relevant hits in the list; neither is trec_eval's.
    """
    found = hits.found[:, :k]
    last = (found * np.arange(1, found.shape[1] + 1)).max(axis=1, initial=0)
    return ratio(hits.hits(k), last)


@metric("max", registry=DOCARRAY_METRICS)
def recall_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """Hits over R; 0 where nothing is relevant (docarray gave NaN)."""
    return ratio(hits.hits(k), hits.relevant)


@metric("max", registry=DOCARRAY_METRICS)
def reciprocal_rank(hits: RankedHits, k: int) -> np.ndarray:
    """1 / rank of the first relevant hit, 0 if there is none."""
    first = hits.first_relevant
    return ratio(np.ones(len(first)), np.where(first <= k, first, 0))


def _discounted(found: np.ndarray) -> np.ndarray:
    ranks = np.arange(1, found.shape[1] + 1)
    total: np.ndarray = (found / np.maximum(1.0, np.log2(ranks))).sum(axis=1)
    return total
