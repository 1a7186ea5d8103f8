"""A table of embeddings whose gradient is added up once for a whole step."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional


class TableGradient:
    """Collects what the look-ups of a step give to a table's gradient.

    torch makes a gradient of the whole table for every look-up: with 30,000 words of 384 numbers
    that is 47 MB to fill with zeros and to add, for a few thousand words. Here the look-ups of all
    micro-batches are added up once, into a gradient that is kept, in which only the rows of the
    step before are cleared.

    Args:
        table: Its weight has to be a float parameter, dense, and without a largest norm.
    """

    def __init__(self, table: nn.Embedding) -> None:
        self.table = table
        self._found: list[tuple[Tensor, Tensor]] = []
        self._waiting = 0
        self._gradient: Tensor | None = None
        self._touched: list[Tensor] = []

    def look_up(self, ids: Tensor) -> Tensor:
        """The rows of some ids; their gradient waits here until `add`."""
        weight = self.table.weight
        if not (torch.is_grad_enabled() and weight.requires_grad):
            return functional.embedding(ids, weight)
        rows: Tensor = _LookUp.apply(weight, ids, self)  # type: ignore[no-untyped-call]
        return rows

    def collect(self, ids: Tensor, gradient: Tensor) -> None:
        """Take the gradient of some looked-up rows."""
        self._found.append((ids.reshape(-1), gradient.reshape(-1, gradient.shape[-1])))
        self._waiting += ids.numel()
        if self._waiting > self.table.num_embeddings:
            self.add()  # so that what waits takes no more memory than the table

    @torch.no_grad()
    def add(self) -> None:
        """Add what was collected to the gradient of the table."""
        if not self._found:
            return
        ids, gradients = (torch.cat(part) for part in zip(*self._found, strict=True))
        self.forget()
        touched, places = torch.unique(ids, return_inverse=True)
        rows = torch.ops.aten.embedding_dense_backward(gradients, places, len(touched), -1, False)
        if self.table.padding_idx is not None:
            rows[touched == self.table.padding_idx] = 0
        weight = self.table.weight
        if weight.grad is None:
            weight.grad = self._cleared(weight)
        weight.grad.index_add_(0, touched, rows)
        if weight.grad is self._gradient:
            self._touched.append(touched)

    def forget(self) -> None:
        """Drop what was collected, after a step that failed."""
        self._found.clear()
        self._waiting = 0

    def _cleared(self, weight: Tensor) -> Tensor:
        if self._gradient is None or self._gradient.device != weight.device:
            self._gradient = torch.zeros_like(weight)
        for rows in self._touched:
            self._gradient.index_fill_(0, rows, 0)
        self._touched.clear()
        return self._gradient


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, ids: Tensor, table: TableGradient) -> Tensor:
        ctx.ids, ctx.table = ids, table
        return functional.embedding(ids, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, None]:
        ctx.table.collect(ctx.ids, gradient)
        return None, None, None
