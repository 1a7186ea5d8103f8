"""Copies of the weights that training changes."""

import torch
from torch import nn

from nearer.loop.weights import load_weights, snapshot


def net():
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    made[0].requires_grad_(False)
    return made


def test_a_snapshot_holds_what_trains_and_the_buffers():
    assert set(snapshot(net())) == {
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
        "2.weight",
        "2.bias",
    }


def test_a_snapshot_is_a_copy():
    module = net()
    taken = snapshot(module)
    before = taken["2.weight"].clone()
    with torch.no_grad():
        module[2].weight.add_(1)
    assert torch.equal(taken["2.weight"], before)
    assert not taken["2.weight"].requires_grad


def test_loading_keeps_the_tensors_so_that_an_optimizer_stays_valid():
    module = net()
    parameters = list(module.parameters())
    taken = snapshot(module)
    with torch.no_grad():
        module[2].weight.add_(1)
        module[1].running_mean.add_(1)
    load_weights(module, taken)
    assert all(a is b for a, b in zip(parameters, module.parameters(), strict=True))
    assert all(torch.equal(value, taken[name]) for name, value in snapshot(module).items())


def test_tied_weights_are_put_back_together():
    module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    module[1].weight = module[0].weight
    taken = snapshot(module)
    with torch.no_grad():
        module[0].weight.zero_()
    load_weights(module, taken)
    assert module[1].weight is module[0].weight
    assert torch.equal(module[0].weight, taken["0.weight"])


def test_a_frozen_weight_of_two_names_is_in_no_snapshot():
    module = nn.ModuleDict({"one": nn.Linear(2, 2), "other": nn.Linear(2, 2)})
    module["other"].weight = module["one"].weight
    module["one"].weight.requires_grad_(False)
    assert sorted(snapshot(module)) == ["one.bias", "other.bias"]
    module["one"].weight.requires_grad_(True)
    assert sorted(snapshot(module)) == ["one.bias", "one.weight", "other.bias", "other.weight"]
