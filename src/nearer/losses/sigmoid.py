"""SigLIP: every pair of the batch is judged by itself, as belonging together or not."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from nearer.losses.blocks import each_alone
from nearer.losses.options import finite, refuse
from nearer.losses.protocol import EmbeddedBatch, Loss, Need
from nearer.losses.similarity import part, ready
from nearer.losses.temperature import log_scale, scale_of, temperature_faults

COLDEST = 0.005
"""Lower bound of a learned temperature; the published SigLIP models end at 0.0085."""


class SigLIP(Loss):
    """Judge every query with every document of the batch: a pair, or none.

    For text and image, where several captions belong to a picture and several pictures to a
    caption: all that are known to be relevant (`EmbeddedBatch.known`) are pairs too, not merely
    left out. Both directions are one and the same. Hard negatives, where the data has them, are
    no pair with any query. No softmax over the batch, so small batches lose less.

        loss = mean over i of  Σⱼ −log σ( zᵢⱼ (cos(qᵢ, dⱼ)/T + b) ),   zᵢⱼ = 1 for a pair, else −1

    Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training",
    https://arxiv.org/abs/2303.15343

    Args:
        temperature: T, or where it begins. Default 0.1.
        bias: b, or where it begins; below 0, as most pairs are none. Default -10.
        learn_temperature: Train the temperature, kept within 0.005 and 1, and the bias. Default
            True.

    Example:
        >>> batch = EmbeddedBatch(query=torch.eye(2), document=torch.eye(2))
        >>> round(SigLIP(temperature=1.0, bias=0.0)(batch).item(), 4)
        1.0064
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"document"})

    def __init__(
        self, temperature: float = 0.1, bias: float = -10.0, learn_temperature: bool = True
    ) -> None:
        super().__init__()
        faults = temperature_faults("loss SigLIP", temperature, learn_temperature, COLDEST)
        refuse([*faults, *finite("loss SigLIP", "bias", bias)])
        self.log_scale = log_scale(temperature).requires_grad_(learn_temperature)
        self.bias = nn.Parameter(torch.tensor(float(bias)), requires_grad=learn_temperature)

    @property
    def learned(self) -> Mapping[str, float]:
        """Temperature and bias, where they are learned."""
        if not self.bias.requires_grad:
            return {}
        return {"temperature": 1 / self._scale().item(), "bias": self.bias.item()}

    def forward(self, batch: EmbeddedBatch) -> Tensor:
        """Return the mean over the queries of the binary cross-entropy of all their pairs."""
        document = part(batch, "document", self)
        query = ready(batch.query, "cosine")
        candidates = ready(torch.cat([document, *batch.negatives]), "cosine")
        return each_alone(query, candidates, self._scale(), self.bias, batch.known)

    def _scale(self) -> Tensor:
        if not self.log_scale.requires_grad:
            return self.log_scale.exp()
        return scale_of(self.log_scale, COLDEST)
