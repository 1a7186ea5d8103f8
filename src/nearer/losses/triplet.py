"""Triplet: each query must lie nearer to its document than to a negative, by a margin."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nearer.losses.blocks import BLOCK
from nearer.losses.known import known_at, known_block
from nearer.losses.options import above_zero, one_of, refuse
from nearer.losses.protocol import EmbeddedBatch, Loss, Need
from nearer.losses.similarity import all_pairs, full, pairwise, part

Distance = Literal["cosine", "euclidean"]
DISTANCES: tuple[Distance, ...] = ("cosine", "euclidean")


class Triplet(Loss):
    """Keep a margin between a query's document and its negatives.

    For data with hard negatives that were chosen with care: what already lies further than the
    margin teaches nothing more. Several negatives columns are averaged. Without a negatives
    column, each query meets the nearest document of another row; candidates known to be relevant
    are left out, and a row without any negative counts as 0.

        loss = mean over i of  max(0, d(qᵢ, dᵢ) − d(qᵢ, nᵢ) + margin)

    Schroff et al. 2015, "FaceNet", https://arxiv.org/abs/1503.03832; hardest in the batch:
    Hermans et al. 2017, https://arxiv.org/abs/1703.07737.

    Args:
        margin: How much nearer. Default 0.2, which a pretrained encoder can reach: the cosine
            distances of some of them (E5, BGE) all lie within 0.4, where a margin of 0.5 would
            never be met and so would never leave easy triplets alone.
        distance: "cosine" (1 − cosine, default) or "euclidean".

    Example:
        >>> query = torch.tensor([[1.0, 0.0]])
        >>> batch = EmbeddedBatch(query, document=query, negatives=(query,))
        >>> round(Triplet(margin=0.2)(batch).item(), 4)
        0.2
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"document"})

    def __init__(self, margin: float = 0.2, distance: Distance = "cosine") -> None:
        super().__init__()
        refuse(
            [
                *above_zero("loss Triplet", "margin", margin),
                *one_of("loss Triplet", "distance", distance, DISTANCES),
            ]
        )
        self.margin = margin
        self.distance: Distance = distance

    def forward(self, batch: EmbeddedBatch) -> Tensor:
        """Return the mean of what is missing to the margin."""
        document = part(batch, "document", self)
        negatives, real = self._given(batch) if batch.negatives else self._hardest(batch, document)
        own = self._distance(batch.query, document)
        missing = torch.stack(
            [(own - self._distance(batch.query, n) + self.margin).relu() for n in negatives], dim=1
        )
        # where, not a product: what is left out must not pass on an infinite or NaN gradient.
        missing = missing.where(real, 0.0)
        return (missing.sum(dim=1) / real.sum(dim=1).clamp(min=1)).mean()

    def _given(self, batch: EmbeddedBatch) -> tuple[tuple[Tensor, ...], Tensor]:
        rows, columns = len(batch.query), len(batch.negatives)
        own = torch.arange(rows, device=batch.query.device)[:, None].expand(rows, columns)
        # Row i's own negatives are the candidates i + B, i + 2B, …
        theirs = own + rows * torch.arange(1, columns + 1, device=own.device)
        return batch.negatives, ~known_at(batch.known, own, theirs)

    @torch.no_grad()
    def _nearest(self, batch: EmbeddedBatch, document: Tensor) -> tuple[Tensor, Tensor]:
        """Distance and place of the nearest document of another row, by blocks of rows."""
        rows, found = len(document), []
        height = max(1, BLOCK // rows)
        for start in range(0, rows, height):
            query = batch.query[start : start + height]
            if self.distance == "cosine":
                distances = 1 - all_pairs(query, document, "cosine")
            else:
                distances = torch.cdist(full(query), full(document))
            stop = start + len(query)
            mask = known_block(batch.known, start, stop, rows, document.device)
            distances.masked_fill_(mask, math.inf)
            places = torch.arange(len(query), device=document.device)
            distances[places, places + start] = math.inf
            found.append(distances.min(dim=1))
        return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])

    def _hardest(self, batch: EmbeddedBatch, document: Tensor) -> tuple[tuple[Tensor], Tensor]:
        nearest, index = self._nearest(batch, document)
        return (document[index],), nearest.isfinite()[:, None]

    def _distance(self, a: Tensor, b: Tensor) -> Tensor:
        if self.distance == "cosine":
            return 1 - pairwise(a, b, "cosine")
        # Its gradient is 0, not NaN, where both are equal.
        distance: Tensor = torch.linalg.vector_norm(full(a) - full(b), dim=1)
        return distance
