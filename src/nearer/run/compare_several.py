"""Several runs side by side: each against the first, and what differs in their options."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nearer.evaluation.comparison import Comparison
from nearer.run.compare import compare
from nearer.run.handle import Run
from nearer.run.ranks import Point
from nearer.run.record import plain_value

HEADER = ("run", "value", "difference", "interval", "won", "lost", "tied")


@dataclass(frozen=True)
class SideBySide:
    """Some runs, each compared with the first of them.

    Attributes:
        runs: The runs, at least two.
        comparisons: Of the first with the second, with the third, …
    """

    runs: tuple[Run, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def metric(self) -> str:
        """What they are compared by."""
        return self.comparisons[0].metric

    @property
    def labels(self) -> tuple[str, ...]:
        """What each run is called, with the epoch that was compared."""
        first = self.comparisons[0].labels[0]
        return (first, *(compared.labels[1] for compared in self.comparisons))

    @property
    def best(self) -> Comparison:
        """The comparison with the run that scores best; of equals, the one named first."""
        sign = 1 if self.comparisons[0].direction == "max" else -1
        return max(self.comparisons, key=lambda compared: sign * compared.difference)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A row under `HEADER` for each run; the first has nothing to be compared with."""
        yield (self.labels[0], f"{self.comparisons[0].a:.5f}", "", "", "", "", "")
        for it in self.comparisons:
            low, high = it.interval.low, it.interval.high
            counts = (f"{count:,}" for count in (it.won, it.lost, it.tied))
            difference = f"{it.difference:+.5f}"
            yield (it.labels[1], f"{it.b:.5f}", difference, f"{low:+.5f} to {high:+.5f}", *counts)

    def remarks(self) -> list[str]:
        """What a reader has to know of each comparison, with the run that it is about."""
        return [
            f"{compared.labels[1]}: {said}"
            for compared in self.comparisons
            for said in compared.sentences()[1:]
        ]


def compare_several(
    runs: Sequence[Run],
    points: tuple[Point, Point] = ("after", "after"),
    metric: str | None = None,
    evaluation: str | None = None,
) -> SideBySide:
    """Compare each run with the first one.

    Args:
        runs: Two or more.
        points: Of the first run, and of all others; see `nearer.compare`.
        metric: What to compare by.
        evaluation: Name of the evaluation.

    Raises:
        UnknownName: No such evaluation, epoch or metric.
        UsageError: The metric was taken at different limits, or by different definitions.
        DataError: No query in common, or queries of one id with different texts.
    """
    first, *others = runs
    found = (
        compare(
            first,
            other,
            epoch_a=points[0],
            epoch_b=points[1],
            metric=metric,
            evaluation=evaluation,
        )
        for other in others
    )
    return SideBySide(tuple(runs), tuple(found))


def names_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """What tells the runs apart: their names, with the experiment where two have one name."""
    names = [run.name for run in runs]
    return tuple(
        name if names.count(name) == 1 else f"{run.experiment}/{name}"
        for name, run in zip(names, runs, strict=True)
    )


def differing_options(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """The options that were not given alike to all but their names: option, value of each run."""
    specs = [run.record["spec"] for run in runs]
    rows = []
    for name in dict.fromkeys(name for spec in specs for name in spec if name != "name"):
        values = [plain_value(spec[name]) if name in spec else "default" for spec in specs]
        if len(set(values)) > 1:
            rows.append((name, *values))
    return rows
