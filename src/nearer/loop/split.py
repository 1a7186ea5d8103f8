"""Models split among processes by FSDP: weights, gradients and averages. Chooses no model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import register_multi_grad_hook
from torch.utils._pytree import tree_leaves, tree_map

from nearer.encoder.protocol import is_split
from nearer.loop.randomness import random_state, set_random_state
from nearer.loop.rounds import Rounds

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

FUSED = ("Adam", "AdamW")
"""Optimizers whose fused kernel knows tensors that are split."""

UNFIT = ("Adafactor", "Rprop")
"""Optimizers that cannot take tensors that are split, in torch 2.13."""


def own_part(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor: all of it, or its part."""
    return tensor.to_local() if is_split(tensor) else tensor  # type: ignore[attr-defined]


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor; of one that is split every process has to ask for it at the same time."""
    return tensor.full_tensor() if is_split(tensor) else tensor  # type: ignore[attr-defined]


def part_like(value: Tensor, target: Tensor) -> Tensor:
    """A whole tensor, of which every process has the same, split as another one of its shape is."""
    if not is_split(target) or is_split(value):
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(target, DTensor)
    there = value.to(target.device, copy=True)
    return distribute_tensor(there, target.device_mesh, target.placements, src_data_rank=None)


def split_state(state: Mapping[int, dict[str, Any]], parameters: Sequence[Tensor]) -> None:
    """Split what an optimizer remembers of each parameter as the parameter is, in place.

    Args:
        state: By the parameter's place, whole tensors.
        parameters: In the order of the optimizer.
    """
    for place, values in state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameters[place].shape:
                values[name] = part_like(value, parameters[place])


@dataclass(frozen=True)
class Part:
    """What is to be split.

    Attributes:
        module: A transformer; weights on any device.
        around: What calls its `forward`, and gives a mapping.
        features: What that takes, of a small item, on the CPU.
    """

    module: nn.Module
    around: Callable[[dict[str, Any]], Mapping[str, Any]]
    features: Mapping[str, Any]


class Split:
    """A transformer whose weights are split among the processes of a fit, layer by layer.

    A layer's weights are brought together when it is needed, in the forward and the backward pass,
    and let go after. Its gradient is summed and split again at once. Where another process has one
    micro-batch more, this one makes a pass with nothing in it; where that has a graph, it is kept
    until `attached` or until the others go backward.

    Zhao et al. 2023, "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel",
    https://arxiv.org/abs/2304.11277

    Args:
        part: What is split; weights alike in all processes.
        device: Where it is trained.
        mesh: The processes.
        rounds: Where they agree on passes.

    Attributes:
        learning: The weights that are trained, in order.
    """

    def __init__(
        self, part: Part, device: torch.device, mesh: "DeviceMesh", rounds: Rounds
    ) -> None:
        from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

        self._around, self._rounds, self._device = part.around, rounds, device
        self._features = {
            name: value.to(device) if isinstance(value, Tensor) else value
            for name, value in part.features.items()
        }
        module = part.module
        for layer in (*_layers(module), module):
            fully_shard(layer, mesh=mesh, reshard_after_forward=True)
        for layer in module.modules():
            if isinstance(layer, FSDPModule):
                # A sum, as gradients of a mean over all rows are summed; as sums are all gloo has.
                layer.set_gradient_divide_factor(1.0)
                layer.set_force_sum_reduction_for_comms(True)
        self._idle: list[Tensor] = []
        self._forward = [rounds.add(partial(self._join_forward, graph)) for graph in (False, True)]
        self._backward = rounds.add(self._join_backward)
        self.learning = [p for p in module.parameters() if p.requires_grad]
        self._gather = rounds.add(lambda: list(self._whole(keep=False)).clear())
        # Around FSDP's part, which brings the weights together, as its `forward` is called by name.
        # Within it, as the others must be asked before FSDP goes backward.
        setattr(module, "forward", self._watched(module.forward))  # noqa: B010
        register_fsdp_forward_method(module, "forward")
        setattr(module, "forward", self._in_step(module.forward))  # noqa: B010
        # What FSDP makes at the first pass must not be made without a graph.
        rounds.alone(partial(self._join_forward, True))
        self.forget()

    def attached(self, embedded: Tensor) -> Tensor:
        """Tie passes that were made for others to this process's embeddings.

        The backward pass then goes through them as it does elsewhere, with a gradient of 0.
        """
        if not self._idle:
            return embedded
        tied: Tensor = _Tied.apply(embedded, *self._idle)  # type: ignore[no-untyped-call]
        self._idle = []
        return tied

    def forget(self) -> None:
        """Let go of passes that nobody goes back through."""
        self._idle = []

    def gathered(self) -> Iterator[tuple[Tensor, Tensor]]:
        """What learns, each weight with a whole copy of it on the CPU."""
        self._rounds.take_part(self._gather)
        return self._whole()

    def _in_step(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(forward)
        def passed(*args: Any, **named: Any) -> Any:
            self._rounds.take_part(self._forward[torch.is_grad_enabled()])
            # What is cast would be remembered by weights that are let go after their layer.
            remembers = torch.is_autocast_cache_enabled()
            torch.set_autocast_cache_enabled(False)
            try:
                return forward(*args, **named)
            finally:
                torch.set_autocast_cache_enabled(remembers)

        return passed

    def _watched(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(forward)
        def passed(*args: Any, **named: Any) -> Any:
            # Tensors of their own: those of the last layer ask for its weights before anybody.
            output = tree_map(_copied, forward(*args, **named))
            learning = [v for v in tree_leaves(output) if _has_graph(v)]
            if learning:
                register_multi_grad_hook(learning, self._going_back, mode="any")
            return output

        return passed

    def _going_back(self, gradient: Tensor) -> None:
        self._rounds.take_part(self._backward)

    def _join_forward(self, graph: bool) -> None:
        # Who draws numbers for others must not draw others itself: a pass may be replayed.
        state = random_state(self._device)
        with torch.inference_mode(False), torch.set_grad_enabled(graph):
            output = self._around(dict(self._features))
            learning = [v for v in output.values() if _has_graph(v)]
            if learning:
                self._idle.append(torch.stack([part.sum() for part in learning]).sum())
        set_random_state(state, self._device)

    def _whole(self, keep: bool = True) -> Iterator[tuple[Tensor, Tensor]]:
        for parameter in self.learning:
            with torch.inference_mode(False), torch.no_grad():  # a pass may be cut into
                found = whole(parameter.detach())
            yield parameter, found.to("cpu") if keep else found.new_empty(0)

    def _join_backward(self) -> None:
        last = self._idle.pop()
        torch.autograd.backward(last, torch.zeros_like(last))


def split_transformers(
    parts: Sequence[Part],
    device: torch.device,
    most: Callable[[int], int],
    processes: int,
) -> tuple[Rounds, list[Split]]:
    """Split transformers among all processes; every process calls it at the same point.

    Args:
        parts: In the same order in all processes.
        device: Of this process.
        most: The largest of the numbers that the processes give.
        processes: How many there are.
    """
    from torch.distributed.device_mesh import init_device_mesh

    mesh = init_device_mesh(device.type, (processes,))
    rounds = Rounds(most)
    return rounds, [Split(part, device, mesh, rounds) for part in parts]


def _layers(module: nn.Module) -> list[nn.Module]:
    """The members of its outermost lists of layers."""
    lists: dict[str, nn.ModuleList] = {}
    for name, part in module.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in lists)
        if isinstance(part, nn.ModuleList) and len(part) > 1 and not inside:
            lists[name] = part
    return [layer for found in lists.values() for layer in found]


def _has_graph(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _copied(value: Any) -> Any:
    return value.clone() if _has_graph(value) else value


class _Tied(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, embedded: Tensor, *idle: Tensor) -> Tensor:
        ctx.count, ctx.like = len(idle), idle[0].new_zeros(())
        return embedded.view_as(embedded)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        return (gradient, *[ctx.like] * ctx.count)
