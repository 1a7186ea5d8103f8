"""Optimizers and schedules by name, their options, parameter groups."""

import pytest
import torch
from torch import nn

from nearer.errors import SpecError, UnknownName
from nearer.loop.optim import (
    WARMED,
    build_optimizer,
    build_scheduler,
    check_names,
    optimizer_names,
    scheduler_names,
)
from nearer.loop.state import FitConfig

NEEDED = {
    "CosineAnnealingLR": {"T_max": 5},
    "CosineAnnealingWarmRestarts": {"T_0": 5},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "cycle_momentum": False},
    "ExponentialLR": {"gamma": 0.9},
    "MultiStepLR": {"milestones": [2]},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 10},
    "StepLR": {"step_size": 2},
}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.linear, self.norm = nn.Linear(4, 3), nn.LayerNorm(3)

    def forward(self, x):
        return self.norm(self.linear(self.frozen(x)))


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2, 2))


def test_groups_matrices_decay_biases_norms_and_the_loss_do_not():
    net, loss = Net(), Scaled()
    config = FitConfig(learning_rate=0.1, weight_decay=0.3)
    groups = build_optimizer(net, loss, config).param_groups
    named = [[id(p) for p in g["params"]] for g in groups]
    assert named == [
        [id(net.linear.weight)],
        [id(p) for p in (net.linear.bias, net.norm.weight, net.norm.bias)],
        [id(loss.scale)],
    ]
    assert [g["weight_decay"] for g in groups] == [0.3, 0, 0]
    assert [g["lr"] for g in groups] == [0.1, 0.1, 0.1]


@pytest.mark.parametrize(("rate", "expected"), [(None, 0.1), (0.5, 0.5), (0.0, 0.0)])
def test_the_loss_may_have_a_rate_of_its_own(rate, expected):
    config = FitConfig(learning_rate=0.1, loss_learning_rate=rate)
    assert build_optimizer(Net(), Scaled(), config).param_groups[-1]["lr"] == expected


def test_parameters_may_have_rates_of_their_own():
    config = FitConfig(learning_rate=0.1, rate_factors={"linear.weight": 0.5})
    net = Net()
    groups = build_optimizer(net, nn.Identity(), config).param_groups
    of = {id(p): group for group in groups for p in group["params"]}
    assert of[id(net.linear.weight)]["lr"] == 0.05
    assert of[id(net.linear.bias)]["lr"] == 0.1
    assert len(of) == sum(p.requires_grad for p in net.parameters())


def test_only_the_loss_may_train():
    net = Net().requires_grad_(False)
    assert len(build_optimizer(net, Scaled(), FitConfig()).param_groups) == 1
    with pytest.raises(SpecError, match="nothing to train"):
        build_optimizer(net, nn.Identity(), FitConfig())


@pytest.mark.parametrize("name", optimizer_names())
def test_every_optimizer_that_is_listed_takes_a_step(name):
    torch.manual_seed(0)
    net = Net()
    config = FitConfig(optimizer=name, learning_rate=0.1)
    check_names(config)
    optimizer = build_optimizer(net, nn.Identity(), config)
    before = net.linear.weight.clone()
    net(torch.randn(5, 4)).square().sum().mul(0.5).add(net.linear.weight.sum()).backward()
    optimizer.step()
    assert not torch.equal(net.linear.weight, before)


def rates(name, steps=10, warmup=0.0, **options):
    config = FitConfig(learning_rate=1.0, scheduler=name, warmup=warmup, scheduler_options=options)
    check_names(config)
    optimizer = build_optimizer(Net(), nn.Identity(), config)
    scheduler = build_scheduler(optimizer, config, steps)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return [*seen, optimizer.param_groups[0]["lr"]]


@pytest.mark.parametrize("name", scheduler_names())
def test_every_schedule_that_is_listed_runs_over_a_fit(name):
    assert all(-1e-9 <= rate <= 1 + 1e-9 for rate in rates(name, **NEEDED.get(name, {})))


@pytest.mark.parametrize("name", WARMED)
def test_warm_up_rises_over_its_share_of_the_steps(name):
    assert rates(name, warmup=0.4)[:5] == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


def test_linear_falls_to_zero_at_the_last_step():
    assert rates("linear", warmup=0.2) == pytest.approx(
        [0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0]
    )


def test_cosine_falls_to_zero_and_constant_stays():
    assert rates("cosine")[5] == pytest.approx(0.5)
    assert rates("cosine")[-1] == pytest.approx(0.0)
    assert rates("constant") == [1.0] * 11


def test_the_options_of_a_schedule_reach_it():
    once, twice = (rates("cosine_with_restarts", num_cycles=n) for n in (1, 2))
    assert once[5] == pytest.approx(0.5)
    assert twice[5] == pytest.approx(1.0)
    assert rates("StepLR", step_size=5, gamma=0.5)[4:6] == [1.0, 0.5]


def faults(**options):
    with pytest.raises(SpecError) as caught:
        check_names(FitConfig(**options))
    return caught.value.faults


def test_wrong_options_are_all_listed():
    found = faults(
        optimizer="SGD",
        optimizer_options={"momentm": 0.9, "beta": 1},
        scheduler="StepLR",
        scheduler_options={"gama": 0.5},
    )
    assert len(found) == 4
    assert found[0].startswith('SGD has no option "momentm"; it takes momentum, ')
    assert found[0].endswith('Did you mean "momentum"?')
    assert found[1].startswith('SGD has no option "beta"; ')
    assert (
        found[2] == 'StepLR has no option "gama"; it takes step_size, gamma. Did you mean "gamma"?'
    )
    assert found[3] == 'StepLR needs the option "step_size"'


@pytest.mark.parametrize("option", ["lr", "weight_decay"])
def test_options_of_the_fit_are_not_taken_twice(option):
    (found,) = faults(optimizer_options={option: 0.1})
    assert found.startswith(f'AdamW takes no option "{option}" here; it is given as ')


@pytest.mark.parametrize("name", ["linear", "constant"])
def test_a_schedule_without_options_says_so(name):
    (found,) = faults(scheduler=name, scheduler_options={"gamma": 1})
    assert found == f'{name} has no option "gamma"; it takes none.'


def test_names_that_do_not_exist():
    with pytest.raises(UnknownName, match=r'no optimizer "AdamV".*Did you mean "Adam'):
        check_names(FitConfig(optimizer="AdamV"))
    with pytest.raises(UnknownName, match=r'no scheduler "ReduceLROnPlateau"; there are linear, '):
        check_names(FitConfig(scheduler="ReduceLROnPlateau"))
    for name in ("LBFGS", "SparseAdam", "Muon"):  # the loop cannot step them
        with pytest.raises(UnknownName):
            check_names(FitConfig(optimizer=name))
