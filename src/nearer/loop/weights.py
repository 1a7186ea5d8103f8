"""Copying and putting back the weights that training changes. Writes no files."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nearer.loop.split import part_like
from nearer.loop.world import ALONE, World


def snapshot(
    module: nn.Module, within: Sequence[nn.Module] = (), world: World = ALONE
) -> dict[str, Tensor]:
    """Copy what training changes to the CPU: trainable parameters and buffers (batch norm's).

    Args:
        module: Whose weights.
        within: Only those that one of these modules has too; none: all.
        world: The processes among which they may be split.
    """
    frozen = {id(p) for p in module.parameters() if not p.requires_grad}  # one may have two names
    theirs = {id(value) for part in within for value in part.state_dict(keep_vars=True).values()}
    found = {
        name: value
        for name, value in module.state_dict(keep_vars=True).items()
        if id(value) not in frozen and (not within or id(value) in theirs)
    }
    return world.copies(found)


@torch.no_grad()
def load_weights(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put a snapshot back in place; the module keeps its tensors, so an optimizer stays valid."""
    current = module.state_dict()
    for name, value in weights.items():
        current[name].copy_(part_like(value, current[name]))
