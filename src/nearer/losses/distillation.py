"""MarginMSE: learn from a teacher how much better a document is than a negative."""

from typing import ClassVar

from torch import Tensor

from nearer.errors import SpecError
from nearer.losses.options import one_of, refuse
from nearer.losses.protocol import EmbeddedBatch, Loss, Need
from nearer.losses.similarity import SIMILARITIES, Similarity, pairwise, part


class MarginMSE(Loss):
    """Reproduce a teacher's margin between a document and one negative.

    For distilling a cross-encoder. The score of a row is teacher(query, document) −
    teacher(query, negative); as it says how far apart the two are, a "negative" that is in truth
    relevant does no harm.

        loss = mean over i of  (s(qᵢ, dᵢ) − s(qᵢ, nᵢ) − scoreᵢ)²

    Hofstätter et al. 2020, "Improving Efficient Neural Ranking Models with Cross-Architecture
    Knowledge Distillation", https://arxiv.org/abs/2010.02666

    Args:
        similarity: "dot" (default: a cross-encoder's margins are unbounded) or "cosine", for
            margins within −2 and 2.

    Example:
        >>> import torch
        >>> query, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        >>> batch = EmbeddedBatch(query, query, negatives=(other,), scores=torch.tensor([3.0]))
        >>> MarginMSE()(batch).item()
        4.0
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"document", "negatives", "scores"})

    def __init__(self, similarity: Similarity = "dot") -> None:
        super().__init__()
        refuse(one_of("loss MarginMSE", "similarity", similarity, SIMILARITIES))
        self.similarity: Similarity = similarity

    def forward(self, batch: EmbeddedBatch) -> Tensor:
        """Return the mean squared error of the margins."""
        document, scores = part(batch, "document", self), part(batch, "scores", self)
        if len(batch.negatives) != 1:
            raise SpecError(
                [
                    "loss MarginMSE needs exactly one negatives column, as a row has one score; "
                    f"this batch has {len(batch.negatives)}"
                ]
            )
        margin = pairwise(batch.query, document, self.similarity)
        margin = margin - pairwise(batch.query, batch.negatives[0], self.similarity)
        return (margin - scores.to(margin.dtype)).square().mean()
