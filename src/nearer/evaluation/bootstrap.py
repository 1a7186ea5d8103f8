"""The paired bootstrap: what a difference of means is worth, given the queries it was taken on."""

from dataclasses import dataclass

import numpy as np

from nearer.errors import UsageError

RESAMPLES = 10_000
CONFIDENCE = 0.95
FEW = 20
"""From so many queries to a distinct difference on, drawing by differences takes less time."""

CELLS = 1 << 20
"""Most values drawn at a time: 12 MiB, however many queries and resamples there are."""


@dataclass(frozen=True)
class Interval:
    """A bootstrap interval of a mean.

    Attributes:
        low: Lower end.
        high: Upper end.
        confidence: The share of the resampled means that lies between.
        resamples: How many there were.
        seed: What drew them.
    """

    low: float
    high: float
    confidence: float = CONFIDENCE
    resamples: int = RESAMPLES
    seed: int = 0

    @property
    def includes_zero(self) -> bool:
        """Whether no difference at all is among what the queries allow."""
        return self.low <= 0 <= self.high


def bootstrap_mean(
    values: np.ndarray,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Interval:
    """The percentile bootstrap interval of the mean of some values.

    With the differences of two sides query by query this is the paired bootstrap: of n differences
    n are drawn with replacement, `resamples` times; the ends are the (1 - confidence) / 2 and the
    (1 + confidence) / 2 quantile of the means of the draws (Efron and Tibshirani, An Introduction
    to the Bootstrap, 1993, chapter 13; for retrieval metrics Sakai, SIGIR 2006).

    Args:
        values: Shape (n,), finite.
        resamples: How many draws.
        confidence: Share of the means to lie in the interval.
        seed: The same seed gives the same interval.

    Raises:
        UsageError: Nothing to draw from, no resamples, or a confidence that is no share.

    Example:
        >>> interval = bootstrap_mean(np.array([0.0, 0.1, 0.2, 0.3]))
        >>> 0 <= interval.low < 0.15 < interval.high <= 0.3
        True
    """
    n = len(values)
    if not n:
        raise UsageError("there are no queries to draw from")
    if resamples < 1 or not 0 < confidence < 1:
        raise UsageError(
            "resamples is at least 1 and confidence between 0 and 1; "
            f"got {resamples} and {confidence}"
        )
    if np.all(values == values[0]):  # every draw is the same, and stays free of rounding
        means = np.full(1, values[0])
    else:
        means = _means(np.asarray(values, dtype=np.float64), resamples, seed)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), confidence, resamples, seed)


def _means(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    n = len(values)
    random = np.random.default_rng(seed)
    distinct, counts = np.unique(values, return_counts=True)
    # Rankings leave few distinct differences, most of all 0. How often each is drawn is then one
    # number instead of as many as there are queries; the draws are of the same distribution.
    few = len(distinct) * FEW <= n
    rows, columns = max(1, CELLS // (len(distinct) if few else n)), min(n, CELLS)
    means = np.empty(resamples)
    for start in range(0, resamples, rows):
        sums = np.zeros(min(rows, resamples - start))
        if few:
            sums += random.multinomial(n, counts / n, size=len(sums)) @ distinct
        else:
            for first in range(0, n, columns):  # one draw may itself be larger than a block
                shape = (len(sums), min(columns, n - first))
                sums += values[random.integers(n, size=shape, dtype=np.uint32)].sum(axis=1)
        means[start : start + len(sums)] = sums / n
    return means
