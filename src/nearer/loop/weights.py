"""Copying and putting back the weights that training changes. Writes no files."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def snapshot(module: nn.Module, within: Sequence[nn.Module] = ()) -> dict[str, Tensor]:
    """Copy what training changes to the CPU: trainable parameters and buffers (batch norm's).

    Args:
        module: Whose weights.
        within: Only those that one of these modules has too; none: all.
    """
    frozen = {name for name, p in module.named_parameters() if not p.requires_grad}
    theirs = {id(value) for part in within for value in part.state_dict(keep_vars=True).values()}
    return {
        name: value.detach().to("cpu", copy=True)
        for name, value in module.state_dict(keep_vars=True).items()
        if name not in frozen and (not within or id(value) in theirs)
    }


@torch.no_grad()
def load_weights(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put a snapshot back in place; the module keeps its tensors, so an optimizer stays valid."""
    current = module.state_dict()
    for name, value in weights.items():
        current[name].copy_(value)
