"""Several processes, over torch.distributed: exchanges and sums. Which one was lost: lost.py."""

import os
import random
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from nearer.encoder.protocol import is_split
from nearer.errors import ProcessLost
from nearer.loop.lost import Member, leave_word, lost_for_certain, who_was_lost
from nearer.loop.rounds import Rounds
from nearer.loop.split import Part, Split, split_transformers
from nearer.loop.world import World

T = TypeVar("T")

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others: longer than what one may do alone, such as saving."""


class Several(World):
    """One of several processes; torch.distributed has been set up.

    Embeddings and gradients go through the group of the device (NCCL on GPUs), flags and objects
    through one of the CPU, so that no agreement waits for a GPU.

    Args:
        device: Of this process's model.
    """

    def __init__(self, device: torch.device) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.device = device
        self._control = None
        if dist.get_backend() != "gloo":
            self._control = dist.new_group(backend="gloo", timeout=PATIENCE)
        self._buffers: dict[torch.dtype, Tensor] = {}
        self._members: list[Member] = []
        self._rounds: Rounds | None = None
        self._splits: list[Split] = []
        self._members = self.exchange(Member(socket.gethostname(), os.getpid()))

    def gather(self, local: Tensor, shares: Sequence[np.ndarray]) -> Tensor:
        """See `World.gather`."""
        if self._rounds is not None:
            self._rounds.take_part(0)  # until all have made their passes
        for split in self._splits:
            local = split.attached(local)
        gathered: Tensor = _Gather.apply(local, self, shares)  # type: ignore[no-untyped-call]
        return gathered

    def sum_gradients(self, parts: Sequence[Tensor], whole: Sequence[Tensor]) -> None:
        """See `World.sum_gradients`."""
        self.settle()  # even where all that learns is split, and there is nothing to sum here
        given = {id(p) for p in whole} if self.rank else set()
        by_type: dict[torch.dtype, list[Tensor]] = {}
        for parameter in (*parts, *whole):
            by_type.setdefault(parameter.dtype, []).append(parameter)
        for dtype, parameters in by_type.items():
            flat = self._buffer(dtype, sum(p.numel() + 1 for p in parameters))
            count = len(parameters)
            gradients = [None if id(p) in given else p.grad for p in parameters]
            # First a flag for each parameter: whether it has a gradient here.
            flat[:count] = torch.tensor([float(g is not None) for g in gradients], dtype=dtype)
            lengths = [p.numel() for p in parameters]
            parts_of_flat = torch.split(flat[count:], lengths)
            views = [v.view_as(p) for v, p in zip(parts_of_flat, parameters, strict=True)]
            for view, gradient in zip(views, gradients, strict=True):
                if gradient is None:
                    view.zero_()
                else:
                    view.copy_(gradient)
            self._guarded(lambda flat=flat: dist.all_reduce(flat))  # type: ignore[misc]
            there = flat[:count].tolist()
            for parameter, view, some in zip(parameters, views, there, strict=True):
                parameter.grad = view if some else None

    def first(self, *values: Any) -> list[Any]:
        """See `World.first`."""
        flags = torch.tensor([value is not None for value in values], dtype=torch.int32)
        self._guarded(lambda: dist.all_reduce(flags, dist.ReduceOp.MAX, self._control))
        if not flags.any():
            return list(values)
        everybody = self.exchange(values)
        return [
            next((v for v in column if v is not None), None)
            for column in zip(*everybody, strict=True)
        ]

    def broadcast(self, value: T) -> T:
        """See `World.broadcast`."""
        held = [value if self.rank == 0 else None]
        self._guarded(lambda: dist.broadcast_object_list(held, 0, self._control))
        return held[0]  # type: ignore[return-value]

    def exchange(self, value: T) -> list[T]:
        """See `World.exchange`."""
        held: list[Any] = [None] * self.size
        self._guarded(lambda: dist.all_gather_object(held, value, self._control))
        return held

    def arrays(self, array: np.ndarray) -> list[np.ndarray]:
        """See `World.arrays`."""
        array = np.ascontiguousarray(array)
        shapes = self.exchange((array.shape, array.dtype.str))
        sizes = [int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in shapes]
        # Equal lengths are what an all-gather takes; bytes, so that any type of number will do.
        padded = torch.zeros(max(sizes), dtype=torch.uint8)
        padded[: array.nbytes] = torch.from_numpy(array.reshape(-1).view(np.uint8))
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        self._guarded(lambda: dist.all_gather(parts, padded, self._control))
        return [
            part.numpy()[:size].view(kind).reshape(shape)
            for part, size, (shape, kind) in zip(parts, sizes, shapes, strict=True)
        ]

    def split(self, parts: Sequence[Part]) -> None:
        """See `World.split`."""
        for part in parts:
            self.share_weights(part.module)
        found = split_transformers(parts, self.device, self._most, self.size)
        self._rounds, self._splits = found

    def copies(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See `World.copies`."""
        parts = {id(tensor) for tensor in tensors.values() if is_split(tensor)}
        found: dict[int, Tensor] = {}  # by the tensor: one may have two names
        for split in self._splits:
            if any(id(p) in parts for p in split.learning):
                found |= {id(p): copy for p, copy in split.gathered() if id(p) in parts}
        rest = {name: tensor for name, tensor in tensors.items() if id(tensor) not in parts}
        copies = super().copies(rest)
        return {n: found[id(t)] if id(t) in parts else copies[n] for n, t in tensors.items()}

    def settle(self) -> None:
        """See `World.settle`."""
        if self._rounds is not None:
            self._rounds.take_part(0)
        for split in self._splits:
            split.forget()

    def share_weights(self, module: nn.Module) -> None:
        """See `World.share_weights`."""
        self._share(p for p in module.parameters() if not is_split(p))
        self.share_buffers(module)

    def share_buffers(self, module: nn.Module) -> None:
        """See `World.share_buffers`."""
        self._share(b for b in module.buffers() if b.is_floating_point())

    @contextmanager
    def alike(self, seed: int) -> Iterator[None]:
        """See `World.alike`."""
        numpy_state, python_state = np.random.get_state(), random.getstate()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            try:
                yield
            finally:
                np.random.set_state(numpy_state)
                random.setstate(python_state)

    def wait(self) -> None:
        """See `World.wait`."""
        self.exchange(None)

    def lost(self) -> str | None:
        """See `World.lost`."""
        return None if self._rounds is None else lost_for_certain(self.rank, self._members)

    def fail(self, error: BaseException) -> None:
        """See `World.fail`."""
        leave_word(self.rank, error)

    @torch.no_grad()
    def _share(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            held = tensor.detach().contiguous()
            group = self._control if held.device.type == "cpu" else None
            self._guarded(lambda held=held, group=group: dist.broadcast(held, 0, group))  # type: ignore[misc]
            tensor.copy_(held)

    def _buffer(self, dtype: torch.dtype, size: int) -> Tensor:
        """Room for all gradients, the same at every step: they are let go before the next one."""
        held = self._buffers.get(dtype)
        if held is None or len(held) < size:
            held = self._buffers[dtype] = torch.empty(size, dtype=dtype, device=self.device)
        return held[:size]

    def _most(self, number: int) -> int:
        """The largest of the numbers that the processes give."""
        held = torch.tensor([number])
        self._answered(lambda: dist.all_reduce(held, dist.ReduceOp.MAX, self._control))
        return int(held)

    def _guarded(self, exchange: Callable[[], object]) -> None:
        """Exchange, once no process has passes to make that take all of them."""
        self.settle()
        self._answered(exchange)

    def _answered(self, exchange: Callable[[], object]) -> None:
        """Exchange, and say which process it was if one does not answer."""
        try:
            exchange()
        except RuntimeError as error:  # torch has DistBackendError and DistNetworkError below it
            raise ProcessLost(who_was_lost(self.rank, self._members, error)) from error


class _Gather(torch.autograd.Function):
    """All-gather of rows; backward takes this process's part of the gradient."""

    @staticmethod
    def forward(ctx: Any, local: Tensor, world: Several, shares: Sequence[np.ndarray]) -> Tensor:
        most = max(len(rows) for rows in shares)
        padded = local.new_zeros((most, *local.shape[1:]))
        padded[: len(local)] = local
        parts = [torch.empty_like(padded) for _ in shares]
        world._guarded(lambda: dist.all_gather(parts, padded))
        whole = local.new_empty((sum(len(rows) for rows in shares), *local.shape[1:]))
        for rows, part in zip(shares, parts, strict=True):
            whole[torch.from_numpy(rows).to(local.device)] = part[: len(rows)]
        ctx.own = torch.from_numpy(shares[world.rank]).to(local.device)
        return whole

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient[ctx.own], None, None
