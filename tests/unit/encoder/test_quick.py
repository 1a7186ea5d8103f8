"""Quicker parts are there in a step, give its gradients, and are gone after it, errors included."""

import copy

import pytest
import torch
from torch import nn

from nearer.encoder import quick
from nearer.encoder.quick import QuickParts


class Odd(nn.Dropout):
    """A user's own dropout."""


def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(60, 4), nn.Dropout(0.5), nn.Linear(4, 3), Odd(0.5))


@pytest.fixture(autouse=True)
def _small_tables_count(monkeypatch):
    monkeypatch.setattr(quick, "LARGE", 60)


def test_gradients_without_dropout_are_the_plain_ones():
    plain = module().eval()
    ours = copy.deepcopy(plain)
    ids = torch.randint(0, 60, (7, 5))
    plain(ids).square().sum().backward()
    with QuickParts(ours).use():
        ours(ids).square().sum().backward()
    for one, other in zip(plain.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad)


def test_only_plain_parts_are_quick_and_only_in_use():
    ours = module()
    before = ours.state_dict().keys()
    parts = QuickParts(ours)
    with parts.use():
        assert ["forward" in vars(m) for m in ours] == [True, True, False, False]
        assert type(ours[1]) is nn.Dropout
        assert ours.state_dict().keys() == before
    assert not any("forward" in vars(m) for m in ours)


def test_an_error_takes_them_out_too_and_leaves_no_gradient_behind():
    ours = module()
    parts = QuickParts(ours)

    def failing_step():
        with parts.use():
            ours(torch.arange(3)).sum().backward()
            return 1 / 0

    with pytest.raises(ZeroDivisionError):
        failing_step()
    assert not any("forward" in vars(m) for m in ours)
    with parts.use():
        pass
    assert ours[0].weight.grad is None


def test_dropout_follows_mode_and_probability():
    drop = nn.Dropout(0.5)
    values = torch.ones(1000)
    with QuickParts(nn.Sequential(drop, nn.Linear(1, 1))).use():
        assert 300 < (drop(values) == 0).sum() < 700
        drop.p = 0.0
        assert torch.equal(drop(values), values)
        drop.p = 1.0
        assert not drop(values).any()
        drop.p = 0.5
        drop.eval()
        assert torch.equal(drop(values), values)


def test_a_module_without_parameters_is_let_be():
    with QuickParts(nn.Dropout(0.5)).use():
        pass
