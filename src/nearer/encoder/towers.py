"""Two encoders that share one space: one for queries, one for the index."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from nearer.encoder.protocol import (
    Encoder,
    Features,
    Packs,
    Precision,
    Prepared,
    PreparesNumbers,
    Side,
)
from nearer.errors import ModelError

FOLDERS: dict[Side, str] = {"query": "query", "document": "index"}
"""Folder of each tower in an artifact."""


class TwoTowers:
    """An encoder made of two: queries go through one, documents through the other.

    Args:
        query: The tower of the query side.
        index: The tower of the document side.

    Raises:
        ModelError: The towers' embeddings differ in length.
    """

    def __init__(self, query: Encoder, index: Encoder) -> None:
        if query.dimension != index.dimension:
            raise ModelError(
                f"{query.name} embeds in {query.dimension} dimensions and {index.name} in "
                f"{index.dimension}; give output_dim for one space"
            )
        self.towers: dict[Side, Encoder] = {"query": query, "document": index}
        self.module: nn.Module = nn.ModuleDict({"query": query.module, "index": index.module})
        self.name = f"{query.name}-to-{index.name}"
        self.precision: Precision = query.precision

    @property
    def dimension(self) -> int:
        """Length of an embedding of either tower."""
        return self.towers["query"].dimension

    def prepare(self, items: Sequence[Any], side: Side) -> Prepared:
        """Prepare items as the side's tower does."""
        return self.towers[side].prepare(items, side)

    @property
    def prepares_ahead(self) -> bool:
        """Whether both towers may prepare on another thread."""
        return all(getattr(tower, "prepares_ahead", False) for tower in self.towers.values())

    def prepare_numbers(self, texts: object, numbers: np.ndarray, side: Side) -> Prepared | None:
        """What the side's tower makes of texts that it tokenised before."""
        tower: object = self.towers[side]
        if not isinstance(tower, PreparesNumbers):
            return None
        return tower.prepare_numbers(texts, numbers, side)

    def packs(self, side: Side) -> bool:
        """Whether the side's tower packs."""
        tower: object = self.towers[side]
        return isinstance(tower, Packs) and tower.packs(side)

    def embed(self, features: Features, side: Side) -> Tensor:
        """Run the side's tower."""
        return self.towers[side].embed(features, side)

    def save(self, folder: Path) -> None:
        """Write each tower into a folder of its own."""
        for side, tower in self.towers.items():
            target = folder / FOLDERS[side]
            target.mkdir()
            tower.save(target)

    def fingerprint(self, side: Side) -> str:
        """What shapes the embeddings of a side."""
        return self.towers[side].fingerprint(side)

    def as_it_came(self) -> "TwoTowers":
        """Itself: without their heads two towers have no space in common."""
        return self
