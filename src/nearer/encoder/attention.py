"""Attention in bf16 on a CPU as plain matrix products, where torch's fused one is slow."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class AttentionTaken(TorchFunctionMode):
    """Within this context, torch's scaled dot-product attention is `attend` instead."""

    def attend(self, *args: Any, **kwargs: Any) -> Tensor:
        """Called with what torch's was called with."""
        raise NotImplementedError

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Called by torch in place of each of its functions."""
        if func is functional.scaled_dot_product_attention:
            func = self.attend
        return func(*args, **(kwargs or {}))


class QuickAttention(AttentionTaken):
    """Within this context, scaled dot-product attention in bf16 on a CPU is `quick_attention`.

    The backward pass of torch's fused kernel takes several times as long there, most of all for
    short texts (docs/benchmarks.md). What `quick_attention` does not do (dropout, a causal mask,
    shared heads, other precisions) is left to torch.
    """

    def attend(self, *args: Any, **kwargs: Any) -> Tensor:
        """Quick where that fits."""
        if _fits(*args, **kwargs):
            return quick_attention(*args, **kwargs)
        return functional.scaled_dot_product_attention(*args, **kwargs)


def quick_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Attention with weights that are held, in the precision of the input.

    Args:
        query: Shape (…, n, d).
        key: Shape (…, m, d).
        value: Shape (…, m, v).
        attn_mask: True where a key may be seen, or what is added to the scores.
        dropout_p: 0; named as torch names it, as the rest.
        is_causal: False.
        scale: Of the inner products; default d^−½.
        enable_gqa: False.

    Returns:
        Shape (…, n, v).
    """
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    seen: Tensor = _Attention.apply(query, key, value, attn_mask, factor)  # type: ignore[no-untyped-call]
    return seen


LONGEST = 256
"""Tokens up to which it was measured to be quicker; the weights take memory that grows with their
square."""


def _fits(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> bool:
    if dropout_p or is_causal or enable_gqa or (attn_mask is not None and attn_mask.requires_grad):
        return False
    if key.shape[-2] > LONGEST:
        return False
    return all(
        t.dtype is torch.bfloat16 and t.device.type == "cpu" and t.shape[:-2] == query.shape[:-2]
        for t in (query, key, value)
    )


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, factor: float
    ) -> Tensor:
        # Scaled before the product: that is d numbers a token, not one for each of the others.
        scores = (query * factor) @ key.transpose(-1, -2)
        if mask is not None and mask.dtype is torch.bool:
            # To add takes a quarter of what filling does where a mask is the same for all rows.
            mask = torch.zeros(mask.shape, dtype=scores.dtype).masked_fill_(~mask, -torch.inf)
        if mask is not None:
            scores.add_(mask)
        weights = scores.softmax(-1)
        ctx.save_for_backward(query, key, value, weights)
        ctx.factor = factor
        return weights @ value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, weights = ctx.saved_tensors
        to_value = weights.transpose(-1, -2) @ gradient
        to_weights = gradient @ value.transpose(-1, -2)
        to_scores = torch.ops.aten._softmax_backward_data(to_weights, weights, -1, weights.dtype)
        to_query = (to_scores @ key).mul_(ctx.factor)
        to_key = (to_scores.transpose(-1, -2) @ query).mul_(ctx.factor)
        return to_query, to_key, to_value, None, None
