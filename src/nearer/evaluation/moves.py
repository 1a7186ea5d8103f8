"""What happened to one query between two rankings: which documents moved, and how far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Moved:
    """A document whose rank differs.

    Attributes:
        id: Of the document.
        before: Its rank on side a, from 1; None where it is not among the top.
        after: Its rank on side b.
    """

    id: str
    before: int | None
    after: int | None

    @property
    def change(self) -> float:
        """How much of a search result it is: the difference of the reciprocal ranks.

        From 2 to 1 is more than from 20 to 10, as a reader sees it; out of the top counts 0.
        """
        return _reciprocal(self.after) - _reciprocal(self.before)


@dataclass(frozen=True)
class QueryChange:
    """What happened to one query.

    Attributes:
        query: Its id.
        a: The metric on side a.
        b: The metric on side b.
        moved: Documents whose rank differs, the largest change first.
    """

    query: str
    a: float
    b: float
    moved: tuple[Moved, ...]

    @property
    def difference(self) -> float:
        """What b has more than a."""
        return self.b - self.a

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        documents = [{"id": m.id, "before": m.before, "after": m.after} for m in self.moved]
        return {"query": self.query, "a": self.a, "b": self.b, "moved": documents}


def moved(before: Sequence[str], after: Sequence[str], depth: int) -> tuple[Moved, ...]:
    """The documents of two rankings whose ranks differ, the largest change first.

    Example:
        >>> for one in moved(["a", "b", "c"], ["b", "a", "d"], depth=3):
        ...     print(one.id, one.before, one.after)
        a 1 2
        b 2 1
        c 3 None
        d None 3
    """
    old = {document: rank for rank, document in enumerate(before[:depth], 1)}
    new = {document: rank for rank, document in enumerate(after[:depth], 1)}
    found = [
        Moved(document, old.get(document), new.get(document))
        for document in dict.fromkeys([*old, *new])
        if old.get(document) != new.get(document)
    ]
    return tuple(sorted(found, key=lambda one: -abs(one.change)))  # of equals, the order of before


def _reciprocal(rank: int | None) -> float:
    return 0.0 if rank is None else 1 / rank
