"""What is quicker while a step is taken on a CPU, put in for the step and taken out after it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nearer.encoder.attention import QuickAttention
from nearer.encoder.dropout import quick_dropout
from nearer.encoder.lookup import TableGradient
from nearer.encoder.protocol import device_of, is_split

LARGE = 4096
"""Rows from which a table's gradient is worth adding up once."""


class QuickParts:
    """Quicker dropout, look-ups and attention while a module is in `use`, and only then.

    Nothing is replaced: modules keep their types, names and weights, and get another `forward` on
    the instance, which is taken away again. On a GPU nothing is done, and nothing where a part is
    compiled: the compiler makes its own of them.

    Only plain `nn.Dropout` and large `nn.Embedding` are touched, no classes derived from them.

    Args:
        module: What is trained; the parts that it has now are the ones that count.
    """

    def __init__(self, module: nn.Module) -> None:
        self._forwards: list[tuple[nn.Module, Callable[[Tensor], Tensor]]] = []
        self._tables: list[TableGradient] = []
        compiled = any(part._compiled_call_impl is not None for part in module.modules())
        self._active = device_of(module).type == "cpu" and not compiled
        if not self._active:
            return
        for part in module.modules():
            if "forward" in vars(part):  # somebody else's; theirs stays
                continue
            if type(part) is nn.Dropout and not part.inplace:
                self._forwards.append((part, _dropout(part)))
            elif type(part) is nn.Embedding and _is_plain(part):
                table = TableGradient(part)
                self._tables.append(table)
                self._forwards.append((part, table.look_up))

    @contextmanager
    def use(self) -> Iterator[None]:
        """Within this context the parts are quick; at its end gradients are complete.

        All of a step's backward passes have to be inside.
        """
        for part, forward in self._forwards:
            part.forward = forward
        try:
            with QuickAttention() if self._active else nullcontext():
                yield
            for table in self._tables:
                table.add()
        finally:
            for part, _ in self._forwards:
                vars(part).pop("forward", None)
            for table in self._tables:
                table.forget()


def _dropout(part: nn.Dropout) -> Callable[[Tensor], Tensor]:
    def forward(values: Tensor) -> Tensor:
        if not part.training or not 0 < part.p < 1:
            return nn.Dropout.forward(part, values)
        return quick_dropout(values, part.p)

    return forward


def _is_plain(table: nn.Embedding) -> bool:
    plain: list[Any] = [table.max_norm, table.sparse, table.scale_grad_by_freq]
    large = table.num_embeddings >= LARGE and table.weight.dtype is torch.float32
    # FSDP sums the gradient of what is split, at once.
    return large and not is_split(table.weight) and not any(plain)
