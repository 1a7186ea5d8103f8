"""What a page says, as plain values: the template has nothing else to read. Computes nothing."""

from dataclasses import dataclass, field

from nearer.report.plot import Plot


@dataclass(frozen=True)
class Headline:
    """The figure that a reader came for.

    Attributes:
        metric: Its name.
        labels: What the two sides are called.
        a: Its value on the first side.
        b: Its value on the other.
        interval: Ends of the bootstrap interval of the difference; None where it is no mean over
            queries, such as a loss.
        confidence: Of the interval.
        better: Whether b is better than a; None where they are equal or the queries can't show it.
    """

    metric: str
    labels: tuple[str, str]
    a: float
    b: float
    interval: tuple[float, float] | None = None
    confidence: float = 0.95
    better: bool | None = None

    @property
    def difference(self) -> float:
        """What b has more than a."""
        return self.b - self.a


@dataclass(frozen=True)
class Table:
    """Rows under a header; the first column names the row.

    Attributes:
        title: The caption.
        header: Names of the columns.
        rows: Cells as they are printed.
        numbers: Whether all columns but the first are aligned as numbers.
        shares: For each row, the length of its bar between 0 and 1; empty: no bars.
        folded: Whether it is closed until a reader opens it.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: bool = False
    shares: tuple[float, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Hit:
    """A document that was found.

    Attributes:
        rank: Its rank, from 1.
        text: Its text, or its id.
        relevant: Whether it is relevant; None where that is not known.
        other: Its rank on the other side; None where it is not among the results there.
        picture: A thumbnail as a data: URI; "" for none.
    """

    rank: int
    text: str
    relevant: bool | None
    other: int | None
    picture: str = ""


@dataclass(frozen=True)
class Query:
    """A query that changed, with its results on both sides.

    Attributes:
        id: Its id.
        text: Its text, or its id.
        a: The metric on side a.
        b: The metric on side b.
        hits: The results of side a, and of side b, nearest first.
        picture: A thumbnail as a data: URI; "" for none.
    """

    id: str
    text: str
    a: float
    b: float
    hits: tuple[tuple[Hit, ...], tuple[Hit, ...]]
    picture: str = ""


@dataclass(frozen=True)
class Queries:
    """What happened query by query.

    Attributes:
        labels: What the two sides are called.
        metric: What they are compared by.
        depth: The ranks that were compared.
        won: Those that b does better, the largest difference first.
        lost: Those that a does better.
        counts: How many were won, lost and tied.
        listed: All of them, or as many as there is room for: `(text, a, b)`, the largest
            difference first.
        total: How many there are.
        direction: "max" where more is better.
    """

    labels: tuple[str, str]
    metric: str
    depth: int
    won: tuple[Query, ...]
    lost: tuple[Query, ...]
    counts: tuple[int, int, int]
    listed: tuple[tuple[str, float, float], ...]
    total: int
    direction: str = "max"


@dataclass(frozen=True)
class Page:
    """All that one page says.

    Attributes:
        title: What it is about: the name of a run, or of two.
        kind: What stands above the title.
        facts: Names and values below the title: status, why it ended, whose weights are kept.
        verdict: What came of it, in a sentence.
        remarks: Sentences that a reader should know: a failure, data that differs.
        headline: The figure that it comes to; None where nothing was measured on both sides.
        plots: Curves.
        metrics: Tables of figures.
        queries: What happened query by query; None where there are no ranks of both sides.
        time: Where the time went; None where that is not known.
        settings: Tables of the spec, the data, the versions.
        command: What reproduces it.
        command_note: How to use that.
        version: Of nearer, which wrote the page.
    """

    title: str
    kind: str
    verdict: str
    facts: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    headline: Headline | None = None
    plots: tuple[Plot, ...] = ()
    metrics: tuple[Table, ...] = ()
    queries: Queries | None = None
    time: Table | None = None
    settings: tuple[Table, ...] = ()
    command: str = ""
    command_note: str = ""
    version: str = field(default="", compare=False)
