"""How a map of features becomes one vector, and how that is changed. Trains nothing."""

from typing import Literal, get_args

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor, nn

from nearer.errors import SpecError

PoolingName = Literal["mean", "max", "cls", "gem"]


class MapPooling(nn.Module):
    """Pools a convolutional map over its places.

    "gem" is the generalised mean with a power that learns, between mean (1) and max (infinity).
    Radenović et al. 2018, "Fine-tuning CNN Image Retrieval with No Human Annotation",
    https://arxiv.org/abs/1711.02512

    Args:
        name: "mean", "max" or "gem".

    Raises:
        SpecError: It is none of these.

    Example:
        >>> MapPooling("max")(torch.arange(4.0).view(1, 1, 2, 2))
        tensor([[3.]])
    """

    def __init__(self, name: PoolingName) -> None:
        super().__init__()
        if name not in ("mean", "max", "gem"):
            raise SpecError(
                [f"pooling: {name}; a convolutional map has no such token. Take mean, max or gem"]
            )
        self.name = name
        if name == "gem":
            self.power = nn.Parameter(torch.tensor(3.0))

    def forward(self, features: Tensor) -> Tensor:
        """Pool: from shape (n, channels, height, width) to (n, channels)."""
        if self.name == "max":
            return features.amax((2, 3))
        if self.name == "mean":
            return features.mean((2, 3))
        raised = features.float().clamp(min=1e-6).pow(self.power)  # a power is no matter for bf16
        return raised.mean((2, 3)).pow(1 / self.power)


def set_pooling(model: SentenceTransformer, name: PoolingName) -> None:
    """Change how a SentenceTransformer pools its tokens; the folder it is saved to says so too.

    Raises:
        SpecError: It has no pooling that can be changed, or none of this name.
    """
    pooling = next((part for part in model if isinstance(part, Pooling)), None)
    if pooling is None:
        raise SpecError(["pooling: the model pools within itself; leave pooling out"])
    if name == "gem":
        raise SpecError(["pooling: gem is for convolutional maps; take mean, max or cls"])
    several = not isinstance(pooling.pooling_mode, str)
    if several:
        raise SpecError(["pooling: the model joins several poolings; leave pooling out"])
    pooling.pooling_mode = name


POOLINGS: tuple[str, ...] = get_args(PoolingName)
