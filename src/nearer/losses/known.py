"""Which candidates are known to be relevant, block of rows by block. No loss; makes no codes."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class KnownPairs:
    """Known relevance between rows and candidates, by what kind of row and candidate they are.

    Rows of one kind (equal queries) are related to the same kinds of candidates (contents of the
    documents that stand beside them). Takes memory for rows and candidates, never for their
    product: the mask is made for a block of rows at a time, by `known_block`.

    Attributes:
        rows: Shape (B,), int64: kind of each row, 0 …
        candidates: Shape (C,), int64: kind of each candidate, 0 …; the own one of row i is at i.
        related: Shape (n, 2), int64: kinds of row and candidate that belong together, each pair
            once, in ascending order.

    Example:
        >>> equal_queries = KnownPairs.of(np.array([5, 5, 6]), np.array([1, 2, 3]))
        >>> equal_queries.block(0, 3).int().tolist()
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    """

    rows: Tensor
    candidates: Tensor
    related: Tensor

    @classmethod
    def of(cls, queries: np.ndarray, candidates: np.ndarray) -> "KnownPairs":
        """From codes of content.

        Args:
            queries: Shape (B,), any integers: equal ones for equal queries.
            candidates: Shape (C,), C ≥ B: equal ones for equal contents; the first B are the
                documents that stand beside the queries.
        """
        _, rows = np.unique(queries, return_inverse=True)
        contents, found = np.unique(candidates, return_inverse=True)
        keys = np.unique(rows * len(contents) + found[: len(rows)])
        related = np.stack(np.divmod(keys, max(1, len(contents))), axis=1)
        return cls(*(torch.from_numpy(a.astype(np.int64)) for a in (rows, found, related)))

    def to(self, device: torch.device) -> "KnownPairs":
        """The same on another device."""
        moved = (t.to(device) for t in (self.rows, self.candidates, self.related))
        return KnownPairs(*moved)

    def turned(self) -> "KnownPairs":
        """Seen from the documents: row j is document j, candidate i is query i."""
        pairs = self.related.flip(1)
        order = torch.argsort(pairs[:, 0] * (int(self.rows.max()) + 1) + pairs[:, 1])
        documents = self.candidates[: len(self.rows)]
        return replace(self, rows=documents, candidates=self.rows, related=pairs[order])

    def block(self, start: int, stop: int) -> Tensor:
        """The mask of some rows, shape (stop − start, C), bool; the own candidate is False."""
        kinds = self.rows[start:stop]
        first, last = self._bounds[kinds], self._bounds[kinds + 1]
        counts = last - first
        places = torch.arange(len(kinds), device=kinds.device)
        row = torch.repeat_interleave(places, counts)
        step = torch.arange(len(row), device=kinds.device)
        step = step - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
        relevant = torch.zeros(len(kinds), self._kinds, dtype=torch.bool, device=kinds.device)
        relevant[row, self.related[first[row] + step, 1]] = True
        mask = relevant[:, self.candidates]
        mask[places, places + start] = False
        return mask

    def at(self, rows: Tensor, candidates: Tensor) -> Tensor:
        """Whether candidate `candidates[n]` is known for row `rows[n]`; shape as given, bool."""
        keys = self.related[:, 0] * self._kinds + self.related[:, 1]
        asked = self.rows[rows] * self._kinds + self.candidates[candidates]
        place = torch.searchsorted(keys, asked).clamp(max=len(keys) - 1)
        return (keys[place] == asked) & (rows != candidates)

    @cached_property
    def _kinds(self) -> int:
        return int(self.candidates.max()) + 1

    @cached_property
    def _bounds(self) -> Tensor:
        """Where the pairs of each kind of row begin, and where the last ones end."""
        kinds = int(self.rows.max()) + 1
        counts = torch.bincount(self.related[:, 0], minlength=kinds)
        return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


Known = Tensor | KnownPairs | None
"""Known relevance: a whole mask (see `EmbeddedBatch.known`), pairs by kind, or none."""


def known_block(
    known: Known, start: int, stop: int, candidates: int, device: torch.device | str
) -> Tensor:
    """The mask of rows `start` to `stop`, with the own document always left in.

    Returns:
        Shape (stop − start, candidates), bool.
    """
    if known is None:
        return torch.zeros(stop - start, candidates, dtype=torch.bool, device=device)
    if isinstance(known, KnownPairs):
        return known.block(start, stop)[:, :candidates]
    mask = known[start:stop, :candidates].clone()
    places = torch.arange(stop - start, device=known.device)
    mask[places, places + start] = False
    return mask


def known_turned(known: Known, rows: int) -> Known:
    """The mask as the documents see it: of document j, whether query i is known."""
    if isinstance(known, KnownPairs):
        return known.turned()
    return None if known is None else known[:, :rows].T


def known_at(known: Known, rows: Tensor, candidates: Tensor) -> Tensor:
    """Single entries of the mask: of `rows[n]` and `candidates[n]`, bool, shape as given."""
    if known is None:
        return torch.zeros(rows.shape, dtype=torch.bool, device=rows.device)
    if isinstance(known, KnownPairs):
        return known.at(rows, candidates)
    return known[rows, candidates] & (rows != candidates)
