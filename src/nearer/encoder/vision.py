"""Picture models that the catalog can build: the module and its adapter. Decodes nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nearer.encoder.module import ModuleEncoder
from nearer.encoder.preprocessing import Preprocessing
from nearer.encoder.protocol import WAY_OUT, Prepared, Side
from nearer.errors import ModelError

TOKENS = 128
"""What a picture counts for where texts count tokens, so that micro-batches are of a like size."""


class PictureModel(nn.Module):
    """A convolutional network without its classifier, and how its map becomes one vector.

    The averages of batch normalisation stay as they were pretrained, in training too: an embedding
    then depends on its picture alone, not on what else is in the batch.

    Args:
        body: From pixels, shape (n, 3, size, size), to a map, shape (n, channels, height, width).
        pooling: From that map to shape (n, channels).
        mean: Taken from pixels of 0 to 255.
        std: They are divided by that.
    """

    def __init__(self, body: nn.Module, pooling: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.body, self.pooling = body, pooling
        self.mean, self.std = mean, std
        self.train()

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed pictures.

        Args:
            pixels: Shape (n, 3, size, size), uint8.
        """
        # Colours last is the order in which a CPU is quick at convolutions.
        values = pixels.to(torch.float32, memory_format=torch.channels_last)
        pooled: Tensor = self.pooling(self.body((values - self.mean) / self.std))
        return pooled

    def train(self, mode: bool = True) -> "PictureModel":
        """Set the mode, but for batch normalisation."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.eval()
        return self


class PictureEncoder(ModuleEncoder):
    """Trains and evaluates a picture model of the catalog.

    Args:
        module: The model, perhaps with heads behind it.
        preprocessing: How it wants its pictures.
        name: Short name; prefix of the metrics.
        dimension: Length of an embedding.
        recipe: How the module is built without its weights; see `nearer.encoder.packaged`.

    Attributes:
        recipe: As given, with what was added since.
    """

    prepares_ahead = True

    def __init__(
        self,
        module: nn.Module,
        preprocessing: Preprocessing,
        name: str,
        dimension: int,
        recipe: dict[str, Any],
    ) -> None:
        super().__init__(module, preprocessing, name, dimension)
        self.preprocessing = preprocessing
        self.recipe = recipe

    def prepare(self, items: Sequence[Any], side: Side) -> Prepared:
        """Decode pictures, on threads.

        Raises:
            ModelError: An item is a text.
        """
        if any(isinstance(item, str) for item in items):
            raise ModelError(f"{self.name} embeds pictures, and the data has texts. {WAY_OUT}")
        pixels = self.preprocessing(items)

        def take(rows: np.ndarray) -> dict[str, Tensor]:
            return {"pixels": pixels[torch.from_numpy(rows)]}

        return Prepared(np.full(len(items), TOKENS, dtype=np.int64), take)

    def embed(self, features: Any, side: Side) -> Tensor:
        """Run the module: shape (n, dimension)."""
        embedding: Tensor = self.module(features["pixels"])
        return embedding

    def as_it_came(self) -> ModuleEncoder:
        """The model without its newly added head; the weights are shared."""
        came = super().as_it_came()
        if isinstance(came, PictureEncoder) and came is not self:
            came.recipe = {**self.recipe, "heads": self.recipe["heads"][:-1]}
        return came

    def fingerprint(self, side: Side) -> str:
        """How pictures are prepared, and the precision."""
        return f"{self.preprocessing}|{self.precision}"
