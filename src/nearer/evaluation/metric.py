"""What a metric is: what it is given, and how it is registered. Defines none."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from nearer.errors import UsageError

Direction = Literal["max", "min"]
Compute = Callable[["RankedHits", int], np.ndarray]


@dataclass(frozen=True)
class RankedHits:
    """What came back for every query, as grades in rank order; all that a metric needs.

    What several metrics read is worked out once and kept: do not write into it.

    Attributes:
        gains: Shape (queries, depth), float64: grade of the hit at each rank, 0 where it is not
            relevant or where nothing came back.
        returned: Shape (queries,), int64: how many hits came back.
        relevant: Shape (queries,), int64: how many relevant rows there are (R).
        ideal: Shape (queries, at least k), float64: grades of the best possible ranking, falling.
    """

    gains: np.ndarray
    returned: np.ndarray
    relevant: np.ndarray
    ideal: np.ndarray

    @property
    def depth(self) -> int:
        """How many ranks are known."""
        return int(self.gains.shape[1])

    @cached_property
    def found(self) -> np.ndarray:
        """Shape (queries, depth), bool: whether the hit at each rank is relevant."""
        return self.gains > 0

    @cached_property
    def first_relevant(self) -> np.ndarray:
        """Shape (queries,), int64: rank of the first relevant hit, from 1; 0 where there is none.

        A metric of k ranks has to leave out what lies beyond k.
        """
        if not self.depth:
            return np.zeros(len(self.gains), dtype=np.int64)
        return np.where(self.found.any(axis=1), self.found.argmax(axis=1) + 1, 0)

    def hits(self, k: int) -> np.ndarray:
        """Shape (queries,): how many of the top k are relevant."""
        k = min(k, self.depth)
        if k not in self._hits:
            self._hits[k] = np.count_nonzero(self.found[:, :k], axis=1)
        return self._hits[k]

    @cached_property
    def _hits(self) -> dict[int, np.ndarray]:
        return {}


@dataclass(frozen=True)
class Metric:
    """A metric as it is registered.

    Attributes:
        name: What it is reported as ("ndcg_at_k").
        direction: Whether more or less is better.
        compute: Takes the ranked hits and k; gives one number for each query, shape (queries,).
        takes_cutoff: Whether it is also reported at cutoffs ("ndcg@10").
        whole: Whether it reads the top R of each query, deeper than k where R is larger.
    """

    name: str
    direction: Direction
    compute: Compute
    takes_cutoff: bool = True
    whole: bool = False

    def at(self, cutoff: int) -> str:
        """Its name at a cutoff: "ndcg_at_k" at 10 is "ndcg@10"."""
        return f"{self.name.removesuffix('_at_k')}@{cutoff}"


METRICS: dict[str, Metric] = {}
"""Every metric by its name; `@metric` adds to it."""


def metric(
    direction: Direction,
    takes_cutoff: bool = True,
    whole: bool = False,
    registry: dict[str, Metric] = METRICS,
) -> Callable[[Compute], Compute]:
    """Register a function as a metric under its own name; from then on it is reported everywhere.

    Args:
        direction: "max" where more is better, "min" where less is.
        takes_cutoff: Whether to report it at cutoffs too.
        whole: Whether it needs the top R of each query; the search then goes that deep.
        registry: Where to put it.

    Raises:
        UsageError: The name is taken by a function of another module, or the direction is neither.

    Example:
        >>> @metric(direction="max")
        ... def found_at_k(hits: RankedHits, k: int) -> np.ndarray:
        ...     return hits.hits(k).astype(float)
        >>> METRICS.pop("found_at_k").at(5)
        'found@5'
    """
    if direction not in ("max", "min"):
        raise UsageError(f'a metric\'s direction is "max" or "min"; got {direction!r}')

    def register(function: Compute) -> Compute:
        name = function.__name__
        taken = registry.get(name)
        # The same module may define it again, as a notebook cell that is run twice does.
        if taken is not None and taken.compute.__module__ != function.__module__:
            raise UsageError(
                f'there is a metric "{name}" already, from {taken.compute.__module__}; '
                "give the function another name"
            )
        registry[name] = Metric(name, direction, function, takes_cutoff, whole)
        return function

    return register


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide; 0 where the divisor is 0, so that a query with nothing relevant counts 0."""
    out = np.zeros(len(above))
    np.divide(above, below, out=out, where=below > 0)
    return out
