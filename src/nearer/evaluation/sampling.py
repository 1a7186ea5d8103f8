"""An evaluation by some of its queries, drawn once: fewer ask, all else stays. Embeds nothing."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from nearer.data.collection import Collection
from nearer.evaluation.evaluation_set import EvaluationSet
from nearer.evaluation.relevance import Relevance

SEED = 42
"""Of the draw where the user gives none."""


class SampledRelevance:
    """What is relevant to some of the queries; the judgments of all are shared, not copied.

    Args:
        whole: Relevance of all queries.
        rows: The queries that were drawn, as rows of the whole.

    Example:
        >>> from nearer.evaluation.relevance import LabelRelevance
        >>> whole = LabelRelevance(np.array([0, 1, 1]), np.array([0, 1, 1]), 2)
        >>> SampledRelevance(whole, np.array([2])).counts.tolist()
        [2]
    """

    def __init__(self, whole: Relevance, rows: np.ndarray) -> None:
        self._whole, self._rows = whole, rows
        self.counts = whole.counts[rows]

    def gains(self, queries: np.ndarray, hits: np.ndarray) -> np.ndarray:
        """See `Relevance.gains`."""
        return self._whole.gains(self._rows[queries], hits)

    def ideal(self, queries: np.ndarray, depth: int) -> np.ndarray:
        """See `Relevance.ideal`."""
        return self._whole.ideal(self._rows[queries], depth)


def draw(queries: int, size: int | None, seed: int = SEED) -> np.ndarray | None:
    """Draw queries without replacement: their rows, rising; None where all of them ask.

    Args:
        queries: How many there are.
        size: How many to draw; None, or at least as many as there are, takes all.
        seed: The same seed draws the same rows.

    Example:
        >>> draw(10, 3, seed=0).tolist()
        [5, 6, 9]
        >>> draw(10, 20) is None
        True
    """
    if size is None or size >= queries:
        return None
    return np.sort(np.random.default_rng(seed).choice(queries, size, replace=False))


def ask_only(data: EvaluationSet, rows: np.ndarray) -> EvaluationSet:
    """Let only some of the queries ask; the index stays whole, queries that are the index too.

    Args:
        data: An evaluation set of which all queries ask.
        rows: Rows of `data.query`, rising.
    """
    return replace(
        data,
        query=_taken(data.query, rows),
        index=data.searched,
        relevance=SampledRelevance(data.relevance, rows),
        own_rows=None if data.own_rows is None else data.own_rows[rows],
        asking=rows,
    )


def _taken(side: Collection, rows: np.ndarray) -> Collection:
    indices = pa.array(rows)
    labels = None if side.labels is None else side.labels.take(indices)
    return replace(side, ids=side.ids.take(indices), items=side.items.take(indices), labels=labels)
