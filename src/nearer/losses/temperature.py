"""The temperature of a loss, fixed or learned within bounds. No loss."""

import math

import torch
from torch import Tensor, nn

from nearer.losses.options import above_zero

WARMEST = 1.0
"""The upper bound of a learned temperature; the lower one is each loss's own."""


def temperature_faults(loss: str, value: float, learn: bool, coldest: float) -> list[str]:
    """What is wrong with a temperature, or with where a learned one begins."""
    faults = above_zero(loss, "temperature", value)
    if learn and not faults and not coldest <= value <= WARMEST:
        faults.append(
            f"{loss}: a temperature that is learned begins between {coldest} and {WARMEST}, "
            f"not at {value}"
        )
    return faults


def log_scale(temperature: float) -> nn.Parameter:
    """What is learned: the logarithm of the scale, 1 / temperature.

    Steps are then relative, and the scale stays positive.
    """
    return nn.Parameter(torch.tensor(-math.log(temperature)))


def scale_of(parameter: Tensor, coldest: float) -> Tensor:
    """The scale that a parameter stands for, after bringing it back within its bounds.

    The parameter itself is brought back: clamping only its use would stop its gradient.
    """
    with torch.no_grad():
        parameter.clamp_(-math.log(WARMEST), -math.log(coldest))
    return parameter.exp()
