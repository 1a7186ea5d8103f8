"""Attention within texts that stand one after the other in one row. Knows no model, packs nothing.

Texts of like length are put side by side, padded for the attention alone, and taken apart again
after it; everything else a model does never sees padding.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from nearer.encoder.attention import AttentionTaken
from nearer.encoder.grouping import like_lengths
from nearer.errors import ModelError

WAY_OUT = "its texts can't be packed, set packing to false"

UNBOUNDED = 1 << 62
"""Tokens of a group: what is packed together is small enough already."""


class Segments:
    """Where texts begin and end in a row, and how they are put side by side.

    Args:
        lengths: Shape (n,), tokens of each text, at least 1.
    """

    def __init__(self, lengths: np.ndarray) -> None:
        groups = like_lengths(lengths, budget=UNBOUNDED)
        starts = np.cumsum(lengths) - lengths
        self.shapes: list[tuple[int, int]] = []
        self.masks: list[Tensor | None] = []
        sources, slots, before = [], [], 0
        for group in groups:
            own = lengths[group][:, None]
            inside = np.arange(int(own.max()))[None, :]
            real = inside < own
            # Padding repeats a text's last token: its values do not matter, as long as they are
            # numbers.
            sources.append((starts[group][:, None] + np.minimum(inside, own - 1)).ravel())
            slots.append(before + np.flatnonzero(real))
            before += real.size
            self.shapes.append((real.shape[0], real.shape[1]))
            self.masks.append(None if real.all() else torch.from_numpy(real)[:, None, None, :])
        self.tokens = int(lengths.sum())
        source, slot = np.concatenate(sources), np.concatenate(slots)
        place = np.empty(self.tokens, dtype=np.int64)
        place[source[slot]] = slot
        self.moved = not np.array_equal(source, np.arange(self.tokens))
        self.sources, self.places = torch.from_numpy(source), torch.from_numpy(place)

    def side_by_side(self, values: Tensor) -> list[Tensor]:
        """Split what is of shape (tokens, width) into groups of shape (texts, longest, width)."""
        if self.moved:
            values = _Spread.apply(values, self.sources, self.places)  # type: ignore[no-untyped-call]
        parts = torch.split(values, [texts * longest for texts, longest in self.shapes])
        return [part.view(*shape, -1) for part, shape in zip(parts, self.shapes, strict=True)]

    def in_a_row(self, groups: list[Tensor]) -> Tensor:
        """Undo `side_by_side`."""
        together = torch.cat([group.flatten(0, 1) for group in groups])
        if not self.moved:
            return together
        collected: Tensor = _Collect.apply(together, self.places)  # type: ignore[no-untyped-call]
        return collected


class PackedAttention(AttentionTaken):
    """Within this context, scaled dot-product attention stays within each text of a row.

    Raises:
        ModelError: From within the model, where it asks for attention that is more than that:
            masks, other lengths, several rows.
    """

    def __init__(self, segments: Segments) -> None:
        super().__init__()
        self.segments = segments

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Attend within each text; torch's own attention does it, group by group."""
        segments, given = self.segments, (query, key, value)
        if attn_mask is not None or is_causal:
            raise ModelError(f"the model asks for attention with a mask of its own: {WAY_OUT}")
        if any(part.shape[:1] + part.shape[2:3] != (1, segments.tokens) for part in given):
            raise ModelError(f"the model asks for attention beyond its own row: {WAY_OUT}")
        # Shape (1, heads, tokens, d) to (tokens, heads · d): as the projections made it, no copy.
        flat = [part[0].transpose(0, 1).flatten(1) for part in given]
        heads = [part.shape[1] for part in given]
        seen = []
        for parts, mask in zip(
            zip(*map(segments.side_by_side, flat), strict=True), segments.masks, strict=True
        ):
            q, k, v = (
                part.view(*part.shape[:2], count, -1).transpose(1, 2)
                for part, count in zip(parts, heads, strict=True)
            )
            found = functional.scaled_dot_product_attention(
                q, k, v, mask, dropout_p, scale=scale, enable_gqa=enable_gqa
            )
            seen.append(found.transpose(1, 2).flatten(2))
        row = segments.in_a_row(seen).view(segments.tokens, heads[0], -1)
        return row.transpose(0, 1)[None]


class _Spread(torch.autograd.Function):
    """Rows to where they are wanted, some of them twice; what is padding passes no gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, sources: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        return values.index_select(0, sources)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        # Nobody attends to padding, and what it attends to is not looked at: its gradient is 0.
        (places,) = ctx.saved_tensors
        return gradient.index_select(0, places), None, None


class _Collect(torch.autograd.Function):
    """The rows at some places; the gradient of the others is 0."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.count = len(values)
        return values.index_select(0, places)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        spread = gradient.new_zeros(ctx.count, gradient.shape[1])
        return spread.index_copy_(0, places, gradient), None
