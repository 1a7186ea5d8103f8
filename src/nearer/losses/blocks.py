"""Cross-entropy over blocks of rows, so that the matrix of all similarities is never held."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nearer.losses.known import Known, known_block

BLOCK = 1 << 22
"""Similarities held at a time: 16 MiB in float32, about what a processor's cache still serves."""


def own_among(
    rows: Tensor, candidates: Tensor, scale: Tensor | float, known: Known, block: int | None = None
) -> Tensor:
    """Mean cross-entropy of candidate i for row i, over scaled inner products.

        loss = mean over i of  log Σⱼ exp(scale · rᵢ·cⱼ) − scale · rᵢ·cᵢ

    Candidates that are known are left out: no weight, no gradient. Value and gradients are those
    of the whole matrix; memory is that of `block` similarities and of the gradients of both sides,
    whatever the batch. The gradients are made on the way forward, where the similarities are there
    already, as in Hsu et al. 2024, "Liger Kernel", https://arxiv.org/abs/2410.10989; so they can
    be taken once, but not be differentiated again.

    Args:
        rows: Shape (B, d).
        candidates: Shape (C, d), C ≥ B.
        scale: The inverse of the temperature; a tensor (no dimensions) gets a gradient.
        known: What is left out; the own candidate never is.
        block: Most similarities held at a time, default `BLOCK`; at least one row is taken.
    """
    factor = scale if isinstance(scale, Tensor) else rows.new_tensor(scale)
    # Inside of a Function gradients are always off, so it has to be told.
    wanted = torch.is_grad_enabled()
    loss: Tensor = _OwnAmong.apply(rows, candidates, factor, known, block or BLOCK, wanted)  # type: ignore[no-untyped-call]
    return loss


class _OwnAmong(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        candidates: Tensor,
        scale: Tensor,
        known: Known,
        block: int,
        wanted: bool,
    ) -> Tensor:
        needs = [wanted and need for need in ctx.needs_input_grad[:3]]
        to_rows = torch.empty_like(rows) if needs[0] else None
        to_candidates = torch.zeros_like(candidates) if needs[1] else None
        to_scale = rows.new_zeros(()) if needs[2] else None
        total = rows.new_zeros(())
        height = max(1, block // max(1, len(candidates)))
        for start in range(0, len(rows), height):
            stop = min(start + height, len(rows))
            part = rows[start:stop]
            logits = part @ candidates.T
            plain = logits.clone() if needs[2] else None
            logits.mul_(scale.to(logits.dtype))
            if known is not None:
                mask = known_block(known, start, stop, len(candidates), rows.device)
                logits.masked_fill_(mask, -math.inf)
            places = torch.arange(stop - start, device=rows.device)
            highest = logits.amax(dim=1, keepdim=True)
            own = logits[places, places + start]
            logits.sub_(highest).exp_()
            sums = logits.sum(dim=1, keepdim=True)
            total += (sums.log() + (highest - own[:, None])).sum()
            if not any(needs):
                continue
            shares = logits.div_(sums)  # from here on: what the loss gives each similarity
            shares[places, places + start] -= 1
            if plain is not None and to_scale is not None:
                to_scale += torch.vdot(shares.flatten(), plain.flatten())
            shares.mul_(scale.to(logits.dtype))
            if to_rows is not None:
                torch.mm(shares, candidates, out=to_rows[start:stop])
            if to_candidates is not None:
                to_candidates.addmm_(shares.T, part)
        ctx.gradients = to_rows, to_candidates, to_scale
        ctx.rows, ctx.scale = len(rows), scale
        return total / len(rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        share = gradient / ctx.rows
        to_rows, to_candidates, to_scale = ctx.gradients
        scaled = to_scale if to_scale is None else (to_scale * share).to(ctx.scale.dtype)
        return (
            None if to_rows is None else to_rows * share,
            None if to_candidates is None else to_candidates * share,
            scaled,
            None,
            None,
            None,
        )
