"""CoSENT and CosineSimilarity: pairs with a score of how alike they are. Not for search pairs."""

from typing import ClassVar

import torch
from torch import Tensor

from nearer.losses.options import above_zero, refuse
from nearer.losses.protocol import EmbeddedBatch, Loss, Need
from nearer.losses.similarity import pairwise, part


class CoSENT(Loss):
    """Put pairs in the order of their scores.

    The loss to begin with for scored pairs: only the order of the scores counts, so their range
    (0 to 1, 0 to 5, −1 to 1) does not matter. Pairs of equal score are not compared. It is one
    logarithm over all comparisons of the batch, so it grows with the batch size: compare its
    values only between batches of one size.

        loss = log( 1 + Σ exp(scale · (cos(k) − cos(i))) )   over pairs with score(i) > score(k)

    Huang et al. 2024, "CoSENT: Consistent Sentence Embedding via Similarity Ranking",
    https://penghao-bdsc.github.io/papers/CoSENT_TASLP2024.pdf

    Args:
        scale: The inverse of a temperature; higher looks harder at the worst comparisons.
            Default 20.

    Example:
        >>> query = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        >>> document = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> batch = EmbeddedBatch(query, document=document, scores=torch.tensor([1.0, 0.0]))
        >>> round(CoSENT(scale=1.0)(batch).item(), 4)
        0.3133
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"document", "scores"})

    def __init__(self, scale: float = 20.0) -> None:
        super().__init__()
        refuse(above_zero("loss CoSENT", "scale", scale))
        self.scale = scale

    def forward(self, batch: EmbeddedBatch) -> Tensor:
        """Return the log-sum-exp of all comparisons of the batch."""
        scores = part(batch, "scores", self)
        cosine = pairwise(batch.query, part(batch, "document", self), "cosine") * self.scale
        lower_first = scores[:, None] < scores[None, :]
        too_near = (cosine[:, None] - cosine[None, :])[lower_first]
        return torch.cat([cosine.new_zeros(1), too_near]).logsumexp(dim=0)


class CosineSimilarity(Loss):
    """Make the cosine of each pair equal to its score.

    For scores that are cosines themselves, such as a teacher's, within −1 and 1; where only the
    order of the scores means something, CoSENT learns more.

        loss = mean over i of  (cos(qᵢ, dᵢ) − scoreᵢ)²

    Reimers and Gurevych 2019, "Sentence-BERT", https://arxiv.org/abs/1908.10084

    Example:
        >>> query = torch.tensor([[1.0, 0.0]])
        >>> batch = EmbeddedBatch(query, document=query, scores=torch.tensor([0.5]))
        >>> CosineSimilarity()(batch).item()
        0.25
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"document", "scores"})

    def forward(self, batch: EmbeddedBatch) -> Tensor:
        """Return the mean squared error of the cosines."""
        cosine = pairwise(batch.query, part(batch, "document", self), "cosine")
        return (cosine - part(batch, "scores", self).to(cosine.dtype)).square().mean()
