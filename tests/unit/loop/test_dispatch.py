"""Who hears what, what is merged, and whose error it was. Every event: tests/fault."""

import numpy as np
import pytest
import torch
from support.faults import Boom, FailAt
from support.recorder import Recorder
from support.toy import toy_encoder

from nearer.callbacks import LambdaCallback
from nearer.errors import Interrupted, NearerError
from nearer.loop.callback import Callback
from nearer.loop.dispatch import Dispatcher, listeners
from nearer.loop.events import Event
from nearer.loop.notebook import LoopState
from nearer.loop.state import FitConfig


def dispatcher(*callbacks):
    return Dispatcher(callbacks, LoopState(toy_encoder(), FitConfig(), batches=1))


class Deaf(Callback):
    """Hears nothing."""


class Child(Recorder):
    """Inherits what it hears."""


def test_only_those_that_override_an_event_hear_it():
    deaf, one, two = Deaf(), Recorder(), Child()
    for event in Event:
        assert listeners([deaf, one, two], event) == (one, two)


def test_all_hear_in_the_order_of_the_list():
    said = []
    callbacks = [LambdaCallback(on_epoch_end=lambda ctx, i=i: said.append(i)) for i in range(3)]
    dispatcher(*callbacks).emit(Event.EPOCH_END)
    assert said == [0, 1, 2]


def produce(value):
    return LambdaCallback(on_evaluate=lambda ctx: value)


@pytest.mark.parametrize("value", [0.25, np.float32(0.25), torch.tensor(0.25), np.array(0.25)])
def test_what_is_a_number_becomes_a_float(value):
    (found,) = dispatcher(produce({"a": value})).gather({}).values()
    assert type(found) is float
    assert found == 0.25


def test_producers_may_return_nothing():
    assert dispatcher(produce(None), produce({}), produce({"a": 1})).gather({}) == {"a": 1.0}


@pytest.mark.parametrize("value", ["high", None, [1, 2], torch.ones(2)])
def test_what_is_no_number_is_refused_by_name(value):
    with pytest.raises(NearerError, match=r'metric "a" is .*on_evaluate must return numbers') as e:
        dispatcher(produce({"a": value})).gather({})
    assert e.value.__notes__ == ["raised by LambdaCallback.on_evaluate at epoch 0, step 0"]


def test_T27_two_producers_of_one_name_are_refused_not_overwritten():
    with pytest.raises(NearerError, match='metric "a" is reported twice'):
        dispatcher(produce({"a": 1}), produce({"a": 2})).gather({})


def test_the_losses_of_the_loop_cannot_be_overwritten():
    with pytest.raises(NearerError, match='metric "train_loss" is reported twice'):
        dispatcher(produce({"train_loss": 0.0})).gather({"train_loss": 1.0})


def test_an_error_ends_the_event_and_is_annotated():
    after = Recorder()
    with pytest.raises(Boom) as caught:
        dispatcher(FailAt("on_epoch_end"), after).emit(Event.EPOCH_END)
    assert after.heard == []
    assert caught.value.__notes__ == ["raised by FailAt.on_epoch_end at epoch 0, step 0"]


def test_an_interruption_is_nobodys_fault():
    error = Interrupted()
    with pytest.raises(Interrupted):
        dispatcher(FailAt("on_epoch_end", error)).emit(Event.EPOCH_END)
    assert not hasattr(error, "__notes__")


def test_T34_one_that_fails_in_on_exception_skips_nobody_and_hides_nothing():
    error, first, last = Boom("first"), Recorder(), Recorder()
    fails = FailAt("on_exception", ValueError("second"))
    dispatcher(first, fails, last).emit_exception(error)
    assert first.errors == last.errors == [error]
    assert error.__notes__ == ["FailAt.on_exception failed too: ValueError('second')"]


def test_closing_goes_on_after_a_failure_and_raises_the_first():
    first, second, last = Boom("first"), ValueError("second"), Recorder()
    with pytest.raises(Boom) as caught:
        dispatcher(FailAt("on_close", first), FailAt("on_close", second), last).close(None)
    assert last.events == ["on_close"]
    assert caught.value.__notes__ == [
        "raised by FailAt.on_close at epoch 0, step 0",
        "FailAt.on_close failed too: ValueError('second')",
    ]


def test_closing_after_an_error_leaves_that_one_to_be_seen():
    error, last = Boom("first"), Recorder()
    dispatcher(FailAt("on_close", ValueError("second")), last).close(error)
    assert last.events == ["on_close"]
    assert error.__notes__ == ["FailAt.on_close failed too: ValueError('second')"]
