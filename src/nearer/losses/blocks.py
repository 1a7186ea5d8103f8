"""Losses over blocks of rows, so that the matrix of all similarities is never held. No classes."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from nearer.losses.known import Known, known_block

BLOCK = 1 << 22
"""Similarities held at a time: 16 MiB in float32, about what a processor's cache still serves."""

Judge = Callable[[Tensor, Tensor | None, int], Tensor]
"""Sums the loss of a block of logits, given what is known and its first row; what it leaves in
the logits is the gradient of that sum."""


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
    return _among(_softmax, rows, candidates, scale, 0.0, known, block)


def each_alone(
    rows: Tensor,
    candidates: Tensor,
    scale: Tensor | float,
    bias: Tensor | float,
    known: Known,
    block: int | None = None,
) -> Tensor:
    """Mean over the rows of the binary cross-entropy of every pair, over scaled inner products.

        loss = mean over i of  Σⱼ −log σ(± (scale · rᵢ·cⱼ + bias))

    The sign is plus for the own candidate and for those that are known, minus for all others. In
    blocks, as `own_among`.

    Args:
        rows: Shape (B, d).
        candidates: Shape (C, d), C ≥ B.
        scale: The inverse of the temperature; a tensor (no dimensions) gets a gradient.
        bias: Added to every scaled product; a tensor (no dimensions) gets a gradient.
        known: What is positive beside the own candidate.
        block: Most similarities held at a time, default `BLOCK`; at least one row is taken.
    """
    return _among(_sigmoid, rows, candidates, scale, bias, known, block)


def _softmax(logits: Tensor, known: Tensor | None, start: int) -> Tensor:
    if known is not None:
        logits.masked_fill_(known, -math.inf)
    places = torch.arange(len(logits), device=logits.device)
    highest = logits.amax(dim=1, keepdim=True)
    own = logits[places, places + start]
    logits.sub_(highest).exp_()
    sums = logits.sum(dim=1, keepdim=True)
    total = (sums.log() + (highest - own[:, None])).sum()
    logits.div_(sums)
    logits[places, places + start] -= 1
    return total


def _sigmoid(logits: Tensor, known: Tensor | None, start: int) -> Tensor:
    places = torch.arange(len(logits), device=logits.device)
    positive = torch.zeros_like(logits, dtype=torch.bool) if known is None else known
    positive[places, places + start] = True
    total = -functional.logsigmoid(torch.where(positive, logits, -logits)).sum()
    logits.sigmoid_().sub_(positive.to(logits.dtype))
    return total


def _among(
    judge: Judge,
    rows: Tensor,
    candidates: Tensor,
    scale: Tensor | float,
    bias: Tensor | float,
    known: Known,
    block: int | None,
) -> Tensor:
    factor, offset = (
        value if isinstance(value, Tensor) else rows.new_tensor(value) for value in (scale, bias)
    )
    # Inside of a Function gradients are always off, so it has to be told.
    wanted = torch.is_grad_enabled()
    given = rows, candidates, factor, offset, judge, known, block or BLOCK, wanted
    loss: Tensor = _Among.apply(*given)  # type: ignore[no-untyped-call]
    return loss


class _Among(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        candidates: Tensor,
        scale: Tensor,
        bias: Tensor,
        judge: Judge,
        known: Known,
        block: int,
        wanted: bool,
    ) -> Tensor:
        needs = [wanted and need for need in ctx.needs_input_grad[:4]]
        to_rows = torch.empty_like(rows) if needs[0] else None
        to_candidates = torch.zeros_like(candidates) if needs[1] else None
        to_scale = rows.new_zeros(()) if needs[2] else None
        to_bias = rows.new_zeros(()) if needs[3] else None
        total = rows.new_zeros(())
        height = max(1, block // max(1, len(candidates)))
        for start in range(0, len(rows), height):
            stop = min(start + height, len(rows))
            part, mask = rows[start:stop], None
            logits = part @ candidates.T
            plain = logits.clone() if needs[2] else None
            logits.mul_(scale.to(logits.dtype)).add_(bias.to(logits.dtype))
            if known is not None:
                mask = known_block(known, start, stop, len(candidates), rows.device)
            total += judge(logits, mask, start)
            if not any(needs):
                continue
            shares = logits  # from here on: what the loss gives each logit
            if plain is not None and to_scale is not None:
                to_scale += torch.vdot(shares.flatten(), plain.flatten())
            if to_bias is not None:
                to_bias += shares.sum()
            shares.mul_(scale.to(logits.dtype))
            if to_rows is not None:
                torch.mm(shares, candidates, out=to_rows[start:stop])
            if to_candidates is not None:
                to_candidates.addmm_(shares.T, part)
        ctx.gradients = to_rows, to_candidates, to_scale, to_bias
        ctx.rows, ctx.types = len(rows), [t.dtype for t in (rows, candidates, scale, bias)]
        return total / len(rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        share = gradient / ctx.rows
        found = [
            None if value is None else (value * share).to(kind)
            for value, kind in zip(ctx.gradients, ctx.types, strict=True)
        ]
        return (*found, None, None, None, None)
