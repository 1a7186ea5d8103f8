"""InfoNCE: each query must pick its own document out of all the documents of the batch."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from nearer.losses.blocks import own_among
from nearer.losses.known import known_turned
from nearer.losses.options import one_of, refuse
from nearer.losses.protocol import EmbeddedBatch, Loss, Need
from nearer.losses.similarity import SIMILARITIES, Similarity, part, ready
from nearer.losses.temperature import log_scale, scale_of, temperature_faults

COLDEST = 0.01
"""Lower bound of a learned temperature, that of CLIP; colder ones make training unstable."""


class InfoNCE(Loss):
    """Contrast each query's document with all other documents of the batch.

    The loss to begin with for search: pairs that belong together are enough, and every other
    row's document is a negative at no cost, so larger batches teach more. Hard negatives, where
    the data has them, join the candidates of every query. Candidates that are known to be
    relevant (`EmbeddedBatch.known`) are left out.

        loss = mean over i of  −log( exp(s(qᵢ, dᵢ)/T) / Σⱼ exp(s(qᵢ, dⱼ)/T) )

    van den Oord et al. 2018, "Representation Learning with Contrastive Predictive Coding",
    https://arxiv.org/abs/1807.03748; with in-batch negatives, Henderson et al. 2017,
    https://arxiv.org/abs/1705.00652. Also known as MultipleNegativesRankingLoss (scale = 1/T).

    Args:
        temperature: T; lower looks harder at the nearest negatives. Default 0.05.
        similarity: "cosine" (default) or "dot"; for "dot" on embeddings that are not of unit
            length, a temperature of 1 is the usual choice.
        symmetric: Also ask each document to pick its query, and average both directions; for data
            where either side may be the query, such as text and image. Default False.
        learn_temperature: Train the temperature too, beginning at `temperature` and kept within
            0.01 and 1. Default False.

    Example:
        >>> batch = EmbeddedBatch(query=torch.eye(2), document=torch.eye(2))
        >>> round(InfoNCE(temperature=1.0)(batch).item(), 4)
        0.3133
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"document"})

    def __init__(
        self,
        temperature: float = 0.05,
        similarity: Similarity = "cosine",
        symmetric: bool = False,
        learn_temperature: bool = False,
    ) -> None:
        super().__init__()
        faults = temperature_faults("loss InfoNCE", temperature, learn_temperature, COLDEST)
        refuse([*faults, *one_of("loss InfoNCE", "similarity", similarity, SIMILARITIES)])
        self.similarity: Similarity = similarity
        self.symmetric = symmetric
        self.fixed_scale = 1 / temperature
        self.log_scale = log_scale(temperature) if learn_temperature else None

    @property
    def temperature(self) -> float:
        """The temperature as it stands."""
        scale = self._scale()
        return 1 / (scale if isinstance(scale, float) else scale.item())

    @property
    def learned(self) -> Mapping[str, float]:
        """The temperature, where it is learned."""
        return {} if self.log_scale is None else {"temperature": self.temperature}

    def forward(self, batch: EmbeddedBatch) -> Tensor:
        """Return the mean cross-entropy of the own document among all candidates."""
        document = part(batch, "document", self)
        query = ready(batch.query, self.similarity)
        candidates = ready(torch.cat([document, *batch.negatives]), self.similarity)
        scale, rows = self._scale(), len(document)
        loss = own_among(query, candidates, scale, batch.known)
        if self.symmetric:
            back = own_among(candidates[:rows], query, scale, known_turned(batch.known, rows))
            loss = (loss + back) / 2
        return loss

    def _scale(self) -> Tensor | float:
        return self.fixed_scale if self.log_scale is None else scale_of(self.log_scale, COLDEST)
