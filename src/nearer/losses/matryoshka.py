"""Matryoshka: any loss, also on the first dimensions of the embeddings. No loss of its own."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from nearer.errors import SpecError
from nearer.losses.options import above_zero, refuse
from nearer.losses.protocol import EmbeddedBatch, Loss


class Matryoshka(Loss):
    """Train embeddings that can be cut short: the loss is taken at several dimensions at once.

    For an index that must be small or fast: keep the first 128 of 768 numbers and lose little.
    Costs next to nothing, as the encoder runs once. Works around any loss that has no parameters
    of the embedding's size (ArcFaceLoss and the like do).

        loss = Σ wₖ · loss(first dₖ dimensions) / Σ wₖ

    Kusupati et al. 2022, "Matryoshka Representation Learning", https://arxiv.org/abs/2205.13147

    Args:
        loss: The loss to take at each dimension.
        dims: The dimensions, each at most that of the embedding, which should be one of them;
            no other is trained. Kept from the largest to the smallest.
        weights: One for each of `dims`, above 0. Default: all equal.

    Example:
        >>> from nearer.losses.contrastive import InfoNCE
        >>> loss = Matryoshka(InfoNCE(temperature=1.0), dims=[2, 4])
        >>> loss.dims
        (4, 2)
        >>> round(loss(EmbeddedBatch(torch.eye(4)[:2], torch.eye(4)[:2])).item(), 4)
        0.3133
    """

    def __init__(
        self, loss: Loss, dims: Sequence[int], weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        refuse(_faults(loss, dims, weights))
        shares = [1.0] * len(dims) if weights is None else weights
        ordered = sorted(zip(dims, shares, strict=True), reverse=True)
        self.loss = loss
        self.dims = tuple(dim for dim, _ in ordered)
        self.weights = tuple(share / sum(shares) for _, share in ordered)
        # What it needs is what the wrapped loss needs, so here it belongs to the instance.
        self.needs = loss.needs  # type: ignore[misc]

    @property
    def learned(self) -> Mapping[str, float]:
        """That of the loss it wraps."""
        return self.loss.learned

    def forward(self, batch: EmbeddedBatch) -> Tensor:
        """Return the weighted mean of the loss over the dimensions."""
        width = batch.query.shape[1]
        if self.dims[0] > width:
            raise SpecError([too_large(self.dims[0], width)])
        terms = zip(self.dims, self.weights, strict=True)
        losses = [weight * self.loss(batch.truncated(dim)) for dim, weight in terms]
        return torch.stack(losses).sum()


def too_large(dim: int, width: int) -> str:
    """The fault of a dimension that the embedding does not have."""
    return (
        f"matryoshka dimension {dim} is larger than the embedding, which has {width}; "
        f"take {width} or less"
    )


def _faults(loss: Loss, dims: Sequence[int], weights: Sequence[float] | None) -> list[str]:
    faults = []
    if getattr(loss, "fixed_dim", False):
        faults.append(
            f"matryoshka cannot wrap the loss {getattr(loss, 'name', type(loss).__name__)}: it has "
            "parameters for every dimension of the embedding, which cannot be cut short; take a "
            "loss without, such as SupConLoss"
        )
    if not dims:
        faults.append("matryoshka needs at least one dimension")
    for dim in dims:
        if not isinstance(dim, int) or isinstance(dim, bool) or dim < 1:
            faults.append(f"matryoshka dimensions must be whole numbers above 0, not {dim!r}")
    if not faults:
        repeated = [a for a, b in pairwise(sorted(dims)) if a == b]
        faults += [f"matryoshka dimension {dim} is given twice" for dim in dict.fromkeys(repeated)]
    if weights is not None:
        if len(weights) != len(dims):
            faults.append(
                f"matryoshka has {len(dims)} dimensions but {len(weights)} weights; give one each"
            )
        for weight in weights:
            faults += above_zero("matryoshka", "a weight", weight)
    return faults
