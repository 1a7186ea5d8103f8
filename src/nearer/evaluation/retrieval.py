"""The nine retrieval metrics as trec_eval defines them. Searches nothing, averages nothing.

In the formulas h is the number of relevant hits in the top k and R that of all relevant rows.
"""

import numpy as np

from nearer.evaluation.metric import RankedHits, metric, ratio


@metric(direction="max")
def average_precision(hits: RankedHits, k: int) -> np.ndarray:
    """Sum of the precision at each relevant rank of the top k, over R (`map_cut_k`)."""
    found, counts = hits.found[:, :k], hits.hits(k)
    query = np.repeat(np.arange(len(found)), counts)
    rank = np.flatnonzero(found) - query * found.shape[1]  # of the relevant hits, and only those
    nth = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
    total = np.bincount(query, weights=(nth + 1) / (rank + 1), minlength=len(found))
    return ratio(total, hits.relevant)


@metric(direction="max")
def dcg_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """Sum of gain / log2(rank + 1) over the top k; linear gain, not between 0 and 1."""
    return discounted(hits.gains[:, :k])


@metric(direction="max")
def f1_score_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """2 h / (k + R), the harmonic mean of precision and recall at k (ranx `f1@k`)."""
    return np.where(hits.relevant > 0, 2 * hits.hits(k) / (k + hits.relevant), 0.0)


@metric(direction="max")
def hit_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """1 if any of the top k is relevant, else 0 (`success_k`)."""
    return (hits.hits(k) > 0).astype(np.float64)


@metric(direction="max")
def ndcg_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """DCG over that of the best possible ranking of all that was judged (`ndcg_cut_k`)."""
    return ratio(discounted(hits.gains[:, :k]), discounted(hits.ideal[:, :k]))


@metric(direction="max")
def precision_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """Hits over k, also where fewer than k came back (`P_k`)."""
    return hits.hits(k) / k


@metric(direction="max", takes_cutoff=False, whole=True)
def r_precision(hits: RankedHits, k: int) -> np.ndarray:
    """Relevant hits in the top R, over R (`Rprec`); k is of no account."""
    top = np.arange(hits.depth) < hits.relevant[:, None]
    return ratio((hits.found & top).sum(axis=1), hits.relevant)


@metric(direction="max")
def recall_at_k(hits: RankedHits, k: int) -> np.ndarray:
    """Hits over R (`recall_k`)."""
    return ratio(hits.hits(k), hits.relevant)


@metric(direction="max")
def reciprocal_rank(hits: RankedHits, k: int) -> np.ndarray:
    """1 / rank of the first relevant hit of the top k, 0 if there is none (`recip_rank`)."""
    first = hits.first_relevant
    return ratio(np.ones(len(first)), np.where(first <= k, first, 0))


def discounted(gains: np.ndarray) -> np.ndarray:
    """Sum of gain / log2(rank + 1): shape (queries, k) to (queries,).

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002), in the form
    of trec_eval, which discounts the second rank already.
    """
    discounts = 1 / np.log2(np.arange(2, gains.shape[1] + 2))
    total: np.ndarray = np.einsum("qk,k->q", gains, discounts)  # no array of all the terms
    return total
