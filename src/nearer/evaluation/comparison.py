"""What a comparison of two rankings comes to, query by query and as a whole. Computes no rank."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from nearer.evaluation.bootstrap import Interval
from nearer.evaluation.metric import Direction
from nearer.evaluation.moves import QueryChange, moved

TIE = 1e-9
"""Values closer than this are equal: the order in which a mean was summed is no difference."""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Side b against side a, on the queries that both have.

    Attributes:
        metric: What they are compared by.
        direction: "max" where more is better.
        depth: The ranks that are compared: the top of both sides.
        a: Mean of side a.
        b: Mean of side b.
        interval: Bootstrap interval of the difference of the means.
        queries: Ids of the queries, in the order of side a.
        values_a: Shape (queries,): the metric on side a.
        values_b: The same on side b.
        hits_a: Ids found on side a, nearest first; a list for each query.
        hits_b: The same on side b.
        left_out: Queries of a, and of b, that the other side does not have.
        notes: Sentences on what makes the sides hard to compare.
        labels: What the sides are called.
    """

    metric: str
    direction: Direction
    depth: int
    a: float
    b: float
    interval: Interval
    queries: pa.Array
    values_a: np.ndarray
    values_b: np.ndarray
    hits_a: pa.Array
    hits_b: pa.Array
    left_out: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    labels: tuple[str, str] = ("a", "b")

    def __len__(self) -> int:
        return len(self.queries)

    def __str__(self) -> str:
        interval = self.interval
        header = ("metric", *self.labels, "difference", f"{100 * interval.confidence:g} % interval")
        ends = f"{interval.low:+.5f} to {interval.high:+.5f}"
        row = (self.metric, f"{self.a:.5f}", f"{self.b:.5f}", f"{self.difference:+.5f}", ends)
        widths = [max(map(len, cells)) for cells in zip(header, row, strict=True)]
        table = ("  ".join(map(str.ljust, cells, widths)).rstrip() for cells in (header, row))
        return "\n".join([*table, *self.sentences()])

    def __repr__(self) -> str:
        sides = zip(self.labels, (self.a, self.b), strict=True)
        means = ", ".join(f"{label} {mean:.5f}" for label, mean in sides)
        return f"Comparison({self.metric}: {means}; {self.sentences()[0]})"

    def sentences(self) -> list[str]:
        """What it comes to, in words: won and lost, what was left out, and the verdict."""
        said = [
            f"won {self.won:,}, lost {self.lost:,}, tied {self.tied:,} of {len(self):,} queries",
            *(
                f"left out: {count:,} queries of {label} that the other side does not have"
                for count, label in zip(self.left_out, self.labels, strict=True)
                if count
            ),
            *self.notes,
        ]
        if not self.conclusive:
            said.append("no difference that these queries can show: the interval includes 0")
        return said

    @property
    def differences(self) -> np.ndarray:
        """Shape (queries,): b - a, and exactly 0 where the query is a tie."""
        return paired_differences(self.values_a, self.values_b)

    @property
    def difference(self) -> float:
        """Mean of b less mean of a."""
        return float(self.differences.mean())

    @property
    def won(self) -> int:
        """Queries that b does better."""
        return int((self._gains > 0).sum())

    @property
    def lost(self) -> int:
        """Queries that a does better."""
        return int((self._gains < 0).sum())

    @property
    def tied(self) -> int:
        """Queries that both do equally well."""
        return len(self) - self.won - self.lost

    @property
    def conclusive(self) -> bool:
        """Whether the interval leaves out 0: the queries show a difference."""
        return not self.interval.includes_zero

    def wins(self, count: int | None = None) -> list[QueryChange]:
        """The queries that b does better, the largest difference first.

        Args:
            count: Most queries; None for all of them.
        """
        return list(self._largest(self._gains, count))

    def losses(self, count: int | None = None) -> list[QueryChange]:
        """The queries that a does better, the largest difference first."""
        return list(self._largest(-self._gains, count))

    def to_dict(self, count: int | None = None) -> dict[str, Any]:
        """Everything as plain values for JSON, with the largest wins and losses."""
        return {
            "metric": self.metric,
            "labels": list(self.labels),
            "a": self.a,
            "b": self.b,
            "difference": self.difference,
            "interval": [self.interval.low, self.interval.high],
            "confidence": self.interval.confidence,
            "resamples": self.interval.resamples,
            "conclusive": self.conclusive,
            "queries": len(self),
            "won": self.won,
            "lost": self.lost,
            "tied": self.tied,
            "left_out": list(self.left_out),
            "notes": list(self.notes),
            "wins": [change.to_dict() for change in self.wins(count)],
            "losses": [change.to_dict() for change in self.losses(count)],
        }

    @property
    def _gains(self) -> np.ndarray:
        return self.differences if self.direction == "max" else -self.differences

    def _largest(self, gains: np.ndarray, count: int | None) -> Iterator[QueryChange]:
        order = np.argsort(-gains, kind="stable")[: int((gains > 0).sum())]
        for row in order[:count].tolist():
            hits = (self.hits_a[row].as_py(), self.hits_b[row].as_py())
            yield QueryChange(
                self.queries[row].as_py(),
                float(self.values_a[row]),
                float(self.values_b[row]),
                moved(*hits, self.depth),
            )


def paired_differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What b has more than a, query by query; exactly 0 for a tie."""
    difference: np.ndarray = b - a
    return np.where(np.abs(difference) <= TIE, 0.0, difference)
