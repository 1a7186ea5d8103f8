"""A fit that goes on from a snapshot ends as the one that the snapshot was taken of."""

import random

import numpy as np
import pytest
import torch
from support.recorder import Values
from support.tiny import Letters
from support.toy import KeepsAll, ToyBatches, same, toy_encoder, toy_fit, weights_of
from torch import nn

from nearer.callbacks import EarlyStopping, LambdaCallback
from nearer.errors import Interrupted, NearerError
from nearer.loop.callback import Callback
from nearer.loop.optim import optimizer_names, scheduler_names
from nearer.loop.randomness import random_numbers, set_random_numbers
from nearer.loop.snapshot import tree
from nearer.run.packing import pack, unpack
from nearer.run.verify import COMPARED, differences

OPTIONS = {"StepLR": {"step_size": 2}, "MultiStepLR": {"milestones": [2, 4]}}
OPTIONS |= {"CosineAnnealingLR": {"T_max": 5}, "CosineAnnealingWarmRestarts": {"T_0": 3}}
OPTIONS |= {"OneCycleLR": {"max_lr": 0.1, "total_steps": 50}, "ExponentialLR": {"gamma": 0.9}}
OPTIONS |= {"CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "cycle_momentum": False}}


class Dropping(Letters):
    """Letters with dropout and batch norm: draws numbers and counts in buffers."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(8), nn.Dropout(0.3)

    def forward(self, batch):
        return self.drop(self.norm(self.linear(batch)))


def encoder():
    torch.manual_seed(3)
    return toy_encoder(module=Dropping())


def through_disk(taken):
    values, tensors = pack(taken)
    return unpack(values, {name: tensor.clone() for name, tensor in tensors.items()})


def compared(taken):
    return {name: taken[name] for name in COMPARED}


def same_from_everywhere(make=lambda: (), **options):
    whole, keeper = encoder(), KeepsAll()
    options = {"training_memory": "1GiB", **options}  # "auto" measures what happens to be free
    result = toy_fit(*make(), encoder=whole, keeper=keeper, **options)
    last = compared(keeper.last)
    assert len(keeper.kept) > result.steps
    for at, taken in keeper.kept:
        resumed, again = encoder(), KeepsAll()
        found = toy_fit(
            *make(), encoder=resumed, keeper=again, resume=through_disk(taken), **options
        )
        assert found == result, at
        assert same(weights_of(resumed), weights_of(whole)), at
        if again.kept:
            assert list(differences(compared(again.last), last)) == [], at
    return keeper


def test_a_fit_goes_on_from_every_place_bit_for_bit():
    kept = same_from_everywhere(train=ToyBatches(11), val=ToyBatches(3), epochs=3)
    assert [at.step for at, _ in kept.kept if at.ended] == [0, 3, 6, 9]


@pytest.mark.parametrize("every", [1, 2, 4])
def test_with_evaluations_by_steps(every):
    same_from_everywhere(train=ToyBatches(11), val=ToyBatches(3), evaluate_every=every)


def test_patience_is_counted_over_the_resume_and_the_best_is_handed_back():
    class ByStep(Values):
        """Reports what belongs to the step, whoever asks how often."""

        def on_evaluate(self, ctx):
            return {"score": [0.1, 0.9, 0.5, 0.4, 0.3][min(ctx.step // 2, 4)]}

    def make():
        return EarlyStopping("score", mode="max", patience=3), ByStep([0])

    kept = same_from_everywhere(make, epochs=10)
    assert kept.kept[-1][0].epoch == 4


@pytest.mark.parametrize("name", optimizer_names())
def test_every_optimizer(name):
    same_from_everywhere(epochs=1, optimizer=name, train=ToyBatches(11))


@pytest.mark.parametrize("name", scheduler_names())
def test_every_schedule(name):
    options = OPTIONS.get(name, {})
    same_from_everywhere(epochs=2, scheduler=name, scheduler_options=options)


def test_two_passes():
    same_from_everywhere(micro_batch=2, train=ToyBatches(12))


@pytest.mark.parametrize("step", range(1, 7))
@pytest.mark.parametrize("every", ["epoch", 2])
def test_a_signal_after_any_step(step, every):
    whole = encoder()
    options = {"train": ToyBatches(11), "val": ToyBatches(3), "evaluate_every": every}
    result = toy_fit(EarlyStopping("val_loss"), encoder=whole, **options)
    now, keeper = [0], KeepsAll()
    keeper.due = lambda at: False
    count = LambdaCallback(on_train_batch_end=lambda ctx: now.__setitem__(0, ctx.step))
    with pytest.raises(Interrupted):
        toy_fit(
            EarlyStopping("val_loss"),
            count,
            encoder=encoder(),
            keeper=keeper,
            signal=lambda: "SIGINT" if now[0] >= step else None,
            **options,
        )
    assert [at.step for at, _ in keeper.kept] == [step]
    resumed = encoder()
    taken = through_disk(keeper.last)
    assert toy_fit(EarlyStopping("val_loss"), encoder=resumed, resume=taken, **options) == result
    assert same(weights_of(resumed), weights_of(whole))


@pytest.mark.parametrize("at", ["on_val_begin", "on_val_end", "on_evaluate"])
@pytest.mark.parametrize("point", [1, 2])
def test_a_signal_during_an_evaluation(at, point):
    """What the evaluation has changed before it was cut short is done again, not twice."""
    whole = encoder()
    options = {"train": ToyBatches(11), "val": ToyBatches(3)}
    result = toy_fit(EarlyStopping("val_loss"), encoder=whole, **options)
    keeper = KeepsAll()
    keeper.due = lambda at: False

    def come(ctx):
        if len(ctx.history) == point:
            torch.rand(3)  # an evaluation that draws
            raise Interrupted("SIGTERM")

    with pytest.raises(Interrupted):
        toy_fit(
            EarlyStopping("val_loss"),
            LambdaCallback(**{at: come}),
            encoder=encoder(),
            keeper=keeper,
            **options,
        )
    resumed = encoder()
    taken = through_disk(keeper.last)
    assert toy_fit(EarlyStopping("val_loss"), encoder=resumed, resume=taken, **options) == result
    assert same(weights_of(resumed), weights_of(whole))


def test_nothing_is_kept_of_a_fit_that_has_not_begun():
    keeper = KeepsAll()
    keeper.due = lambda at: False
    with pytest.raises(Interrupted):
        toy_fit(Raises("on_evaluate", Interrupted()), keeper=keeper)
    assert keeper.kept == []


class Raises(Callback):
    """Raises an error at an event."""

    def __init__(self, event, error):
        def method(ctx):
            raise error

        self.inner = LambdaCallback(**{event: method})

    def on_evaluate(self, ctx):
        self.inner.on_evaluate(ctx)


def test_callbacks_see_how_far_it_came_and_get_their_state_after_the_beginning():
    said = []

    class Tells(Callback):
        def on_fit_begin(self, ctx):
            said.append(("begin", ctx.step, ctx.epoch, len(ctx.history)))

        def state_dict(self):
            return {"held": torch.ones(2)}

        def load_state_dict(self, state):
            said.append(("state", state["held"].tolist()))

    keeper = KeepsAll()
    toy_fit(Tells(), keeper=keeper)
    said.clear()
    taken = next(taken for at, taken in keeper.kept if at.step == 3)
    toy_fit(Tells(), resume=taken)
    assert said == [("begin", 3, 2, 2), ("state", [1.0, 1.0])]


def test_what_a_callback_loads_at_the_beginning_does_not_undo_the_checkpoint():
    def make():
        loads = lambda ctx: ctx.load_weights({k: v * 0 for k, v in ctx.weights().items()})  # noqa: E731
        return (LambdaCallback(on_fit_begin=loads),)

    same_from_everywhere(make)


def test_a_changed_number_of_epochs_takes_its_own_schedule_from_there_on():
    rates = []
    note = LambdaCallback(on_train_batch_begin=lambda ctx: rates.append(ctx.learning_rates[0]))
    keeper = KeepsAll()
    toy_fit(keeper=keeper, scheduler="linear", epochs=2)
    taken = next(taken for at, taken in keeper.kept if at.step == 3)
    toy_fit(note, resume=taken, scheduler="linear", epochs=4)
    expected = [0.05 * (8 - step) / 8 for step in range(3, 8)]
    assert rates == pytest.approx(expected)


def test_a_snapshot_of_another_model_is_refused():
    keeper = KeepsAll()
    toy_fit(keeper=keeper)
    with pytest.raises(NearerError, match="the checkpoint does not fit the model"):
        toy_fit(encoder=encoder(), resume={**keeper.last, "model": {"other": torch.ones(1)}})


def test_a_snapshot_is_its_own():
    keeper = KeepsAll()
    toy_fit(keeper=keeper)
    first = tree(keeper.kept[0][1], torch.Tensor.clone)
    toy_fit(resume=keeper.kept[0][1])
    assert list(differences(first["optimizer"], keeper.kept[0][1]["optimizer"])) == []
    assert list(differences(first["model"], keeper.kept[0][1]["model"])) == []


def test_all_random_numbers_come_back():
    device = torch.device("cpu")
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    np.random.normal()
    random.gauss(0, 1)
    numbers = through_disk(random_numbers(device))
    drawn = [(random.gauss(0, 1), np.random.normal(), torch.rand(1).item()) for _ in range(3)]
    set_random_numbers(numbers, device)
    again = [(random.gauss(0, 1), np.random.normal(), torch.rand(1).item()) for _ in range(3)]
    assert drawn == again
