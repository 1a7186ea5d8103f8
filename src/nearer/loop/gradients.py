"""The norm of a gradient, and clipping it, where parameters may be split among processes."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from nearer.encoder.protocol import is_split
from nearer.loop.split import whole


def gradient_norm(parameters: Iterable[Tensor]) -> float:
    """Norm of all gradients together, nothing clipped; 0 where there are none.

    Where some are split, all processes have to ask for it at the same point.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = [
        whole(get_total_norm(some)).item()
        for some in (
            [g for g in gradients if not is_split(g)],
            [g for g in gradients if is_split(g)],
        )
        if some
    ]
    if len(norms) < 2:
        return norms[0] if norms else 0.0
    return float(torch.tensor(norms).norm())


def clip_gradients(parameters: Iterable[Tensor], most: float) -> float:
    """Scale all gradients down by one factor where their norm is above `most`.

    Returns:
        The norm that they had.
    """
    learning = list(parameters)
    norm = gradient_norm(learning)
    for split in (False, True):
        some = [p for p in learning if p.grad is not None and is_split(p.grad) is split]
        if some:
            clip_grads_with_norm_(some, most, torch.tensor(norm))
    return norm
