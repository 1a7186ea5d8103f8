"""Norms and clipping of whole gradients; split ones are clipped in tests/e2e/test_split.py."""

import copy
import math

import pytest
import torch
from torch import nn

from nearer.loop.gradients import clip_gradients, gradient_norm


def some(*values: list[float] | None) -> list[nn.Parameter]:
    found = []
    for value in values:
        parameter = nn.Parameter(torch.zeros(2))
        parameter.grad = None if value is None else torch.tensor(value)
        found.append(parameter)
    return found


@pytest.mark.parametrize(
    ("gradients", "norm"),
    [
        ([[3.0, 4.0]], 5.0),
        ([[3.0, 0.0], None, [0.0, 4.0]], 5.0),
        ([None], 0.0),
        ([], 0.0),
        ([[math.inf, 0.0]], math.inf),
    ],
)
def test_the_norm_is_that_of_all_together(gradients, norm):
    assert gradient_norm(some(*gradients)) == norm


def test_the_norm_of_a_gradient_that_is_nan_is_nan():
    assert math.isnan(gradient_norm(some([math.nan, 1.0], [1.0, 1.0])))


@pytest.mark.parametrize("most", [1.0, 5.0, 100.0])
def test_it_clips_as_torch_does(most):
    ours = some([3.0, 4.0], None, [12.0, 0.0])
    theirs = copy.deepcopy(ours)
    for one, other in zip(ours, theirs, strict=True):
        other.grad = None if one.grad is None else one.grad.clone()
    assert clip_gradients(ours, most) == nn.utils.clip_grad_norm_(theirs, most).item() == 13
    for one, other in zip(ours, theirs, strict=True):
        assert one.grad is other.grad is None or torch.equal(one.grad, other.grad)
