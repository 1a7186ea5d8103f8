"""From a comparison to what a page says query by query, within its room."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from nearer.evaluation.comparison import Comparison
from nearer.evaluation.moves import QueryChange
from nearer.report.content import Hit, Queries, Query
from nearer.report.pictures import Thumbnails

CHANGED = 20
"""Most queries won, and most lost, that are shown with their results."""

SHOWN = 5
"""Results of each side that are shown."""

LONG = 200
"""Characters of a text in the results."""

ROOM = 600_000
"""Bytes for the list of all queries."""

FIGURES = 19
"""Bytes of a query in it beside its text."""

FEWEST, MOST = 20, 160
"""Characters of a text in it."""


class TextSource(Protocol):
    """What ids stand for."""

    @property
    def pictures(self) -> tuple[bool, bool]:
        """Whether queries, and documents, are pictures: their texts are paths."""

    def queries(self, ids: Sequence[str]) -> list[str]:
        """Texts of queries, or their ids."""

    def documents(self, ids: Sequence[str]) -> list[str]:
        """Texts of documents, or their ids."""

    def relevant(self, query: str, documents: Sequence[str]) -> list[bool] | None:
        """Which documents are relevant to a query; None where that is not to be had."""


def read_queries(
    comparison: Comparison, texts: TextSource, thumbnails: Thumbnails | None = None
) -> Queries:
    """What happened query by query.

    Args:
        comparison: Side b against side a.
        texts: What the ids stand for.
        thumbnails: Makes the pictures; None: with the usual room.
    """
    rows = {id_: row for row, id_ in enumerate(comparison.queries.to_pylist())}
    thumbnails = thumbnails or Thumbnails()

    def shown(changes: Sequence[QueryChange]) -> tuple[Query, ...]:
        return tuple(_query(comparison, texts, thumbnails, rows[c.query]) for c in changes)

    return Queries(
        labels=comparison.labels,
        metric=comparison.metric,
        depth=comparison.depth,
        won=shown(comparison.wins(CHANGED)),
        lost=shown(comparison.losses(CHANGED)),
        counts=(comparison.won, comparison.lost, comparison.tied),
        listed=_listed(comparison, texts),
        total=len(comparison),
        direction=comparison.direction,
    )


def _query(comparison: Comparison, texts: TextSource, pictures: Thumbnails, row: int) -> Query:
    id_ = comparison.queries[row].as_py()
    found = [hits[row].as_py() for hits in (comparison.hits_a, comparison.hits_b)]
    ranks = [{document: rank for rank, document in enumerate(hits, 1)} for hits in found]
    sides = []
    for hits, other in ((found[0], ranks[1]), (found[1], ranks[0])):
        ids = hits[:SHOWN]
        marks: Sequence[bool | None] = texts.relevant(id_, ids) or [None] * len(ids)
        said = zip(ids, texts.documents(ids), marks, strict=True)
        picture: Callable[[str], str] = pictures.of if texts.pictures[1] else _no_picture
        sides.append(
            tuple(
                Hit(rank, short(text), mark, other.get(document), picture(text))
                for rank, (document, text, mark) in enumerate(said, 1)
            )
        )
    (text,) = texts.queries([id_])
    return Query(
        id_,
        short(text),
        float(comparison.values_a[row]),
        float(comparison.values_b[row]),
        (sides[0], sides[1]),
        pictures.of(text) if texts.pictures[0] else "",
    )


def _listed(comparison: Comparison, texts: TextSource) -> tuple[tuple[str, float, float], ...]:
    """All queries, as many and as much of each as there is room for."""
    order = np.argsort(-np.abs(comparison.differences), kind="stable")
    order = order[: ROOM // (FIGURES + FEWEST)]
    names = [short(t, MOST) for t in texts.queries(comparison.queries.take(order).to_pylist())]
    size = len("".join(names).encode("utf-8", "replace")) / max(1, sum(map(len, names)))
    long = max(FEWEST, min(MOST, int((ROOM / max(1, len(order)) - FIGURES) / size)))
    values = (np.round(v[order], 3).tolist() for v in (comparison.values_a, comparison.values_b))
    return tuple(zip((short(name, long) for name in names), *values, strict=True))


def short(text: str, long: int = LONG) -> str:
    """A text on one line, cut where it is long.

    Example:
        >>> short("a  b c", 4)
        'a b…'
    """
    line = " ".join(text[: 4 * long].split())
    return line if len(line) <= long else line[: long - 1].rstrip() + "…"


def _no_picture(path: str) -> str:
    return ""
