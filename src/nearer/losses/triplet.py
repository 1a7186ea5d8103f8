"""Triplet: each query must lie nearer to its document than to a negative, by a margin."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nearer.losses.options import above_zero, one_of, refuse
from nearer.losses.protocol import EmbeddedBatch, Loss, Need
from nearer.losses.similarity import all_pairs, full, not_own, pairwise, part

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
        known = not_own(batch.known, rows, rows * (1 + columns), batch.query.device)
        # Row i's own negatives are the candidates i + B, i + 2B, …
        own = torch.stack(
            [known[:, rows * c : rows * (c + 1)].diag() for c in range(1, columns + 1)]
        )
        return batch.negatives, ~own.T

    def _hardest(self, batch: EmbeddedBatch, document: Tensor) -> tuple[tuple[Tensor], Tensor]:
        rows = len(document)
        with torch.no_grad():
            if self.distance == "cosine":
                distances = 1 - all_pairs(batch.query, document, "cosine")
            else:
                distances = torch.cdist(full(batch.query), full(document))
            known = not_own(batch.known, rows, rows, document.device)
            own = torch.eye(rows, dtype=torch.bool, device=document.device)
            nearest, index = distances.masked_fill(known | own, math.inf).min(dim=1)
        return (document[index],), nearest.isfinite()[:, None]

    def _distance(self, a: Tensor, b: Tensor) -> Tensor:
        if self.distance == "cosine":
            return 1 - pairwise(a, b, "cosine")
        # Its gradient is 0, not NaN, where both are equal.
        distance: Tensor = torch.linalg.vector_norm(full(a) - full(b), dim=1)
        return distance
