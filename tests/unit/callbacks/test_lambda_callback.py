"""LambdaCallback: functions in place of a class."""

import pytest
from support.faults import Boom, FailAt
from support.toy import ToyBatches, toy_fit

from nearer.callbacks import EarlyStopping, LambdaCallback
from nearer.errors import SpecError
from nearer.loop.events import Event


def test_a_function_for_every_event():
    heard = []
    functions = {e.value: lambda ctx, *rest, e=e: heard.append((e, *rest)) for e in Event}
    fails = FailAt("on_fit_end")
    with pytest.raises(Boom):
        toy_fit(LambdaCallback(**functions), fails, val=ToyBatches(2))
    assert {event for event, *_ in heard} == set(Event) - {Event.WEIGHTS_CHOSEN}
    assert [rest for event, *rest in heard if rest] == [[fails.error]]


def test_metrics_that_are_declared_can_be_watched():
    values = iter([0.9, 0.1, 0.5])
    callback = LambdaCallback({"mine": "min"}, on_evaluate=lambda ctx: {"mine": next(values)})
    result = toy_fit(callback, EarlyStopping("mine"))
    assert result.kept.epoch == 1


def test_a_direction_that_is_none_is_refused_before_the_first_step():
    with pytest.raises(SpecError, match='must be "max" or "min"'):
        toy_fit(LambdaCallback({"mine": "maximize"}, on_evaluate=lambda ctx: {"mine": 1}))


def test_events_that_do_not_exist_are_all_named():
    with pytest.raises(SpecError) as caught:
        LambdaCallback(on_epoch_ends=print, on_batch=print)
    first, second = caught.value.faults
    assert first.startswith('no event "on_epoch_ends"; there are on_fit_begin, ')
    assert first.endswith('Did you mean "on_epoch_end"?')
    assert second.startswith('no event "on_batch"')
