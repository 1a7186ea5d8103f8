"""A table's gradient that is added up once a step: that of torch, whatever came before."""

import pytest
import torch
from torch import nn

from nearer.encoder.lookup import TableGradient


def table(padding=None):
    torch.manual_seed(0)
    return nn.Embedding(50, 4, padding_idx=padding)


def step(look_up, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(3):
        ids = torch.randint(0, 50, (2, 6), generator=generator)
        weights = torch.randn(2, 6, 4, generator=generator)
        (look_up(ids) * weights).sum().backward()


@pytest.mark.parametrize("padding", [None, 0])
@pytest.mark.parametrize("to_none", [True, False])
def test_the_gradient_is_torchs_step_after_step(padding, to_none):
    plain, ours = table(padding), table(padding)
    gradient = TableGradient(ours)
    for seed in range(4):
        step(plain, seed)
        step(gradient.look_up, seed)
        gradient.add()
        torch.testing.assert_close(ours.weight.grad, plain.weight.grad)
        for part in (plain, ours):
            part.weight.grad.mul_(0.5)  # as clipping does
            part.zero_grad(set_to_none=to_none)


def test_gradients_of_two_steps_add_up_without_a_reset_between():
    plain, ours = table(), table()
    gradient = TableGradient(ours)
    for seed in range(2):
        step(plain, seed)
        step(gradient.look_up, seed)
        gradient.add()
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)


def test_what_waits_is_no_larger_than_the_table():
    plain, ours = table(), table()
    gradient = TableGradient(ours)
    for seed in range(9):
        step(plain, seed)
        step(gradient.look_up, seed)
        assert sum(len(ids) for ids, _ in gradient._found) <= 50 + 12
    gradient.add()
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)


def test_without_gradients_it_is_a_plain_look_up():
    ours = table()
    ids = torch.arange(5)
    with torch.no_grad():
        assert torch.equal(TableGradient(ours).look_up(ids), ours(ids))
    ours.weight.requires_grad_(False)
    assert not TableGradient(ours).look_up(ids).requires_grad


def test_what_is_forgotten_is_not_added():
    ours = table()
    gradient = TableGradient(ours)
    step(gradient.look_up, 0)
    gradient.forget()
    gradient.add()
    assert ours.weight.grad is None
