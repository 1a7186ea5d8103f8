"""Copying and putting back the weights that training changes. Writes no files."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    """Copy what training changes to the CPU: trainable parameters and buffers (batch norm's)."""
    frozen = {name for name, p in module.named_parameters() if not p.requires_grad}
    return {
        name: value.detach().to("cpu", copy=True)
        for name, value in module.state_dict().items()
        if name not in frozen
    }


@torch.no_grad()
def load_weights(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put a snapshot back in place; the module keeps its tensors, so an optimizer stays valid."""
    current = module.state_dict()
    for name, value in weights.items():
        current[name].copy_(value)
