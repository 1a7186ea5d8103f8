"""A callback that fails, at every event in turn, with an error and with Ctrl-C."""

import pytest
from support.faults import Boom, FailAt
from support.recorder import Recorder
from support.toy import ToyBatches, toy_fit

from nearer.loop.events import Event

# Epoch, step at which each event is first heard (with epoch=1 for those that come at epoch 0 too).
WHERE = {
    Event.FIT_BEGIN: (0, 0),
    Event.EPOCH_BEGIN: (1, 0),
    Event.TRAIN_BATCH_BEGIN: (1, 0),
    Event.TRAIN_BATCH_END: (1, 1),
    Event.VAL_BEGIN: (1, 2),
    Event.VAL_BATCH_END: (1, 2),
    Event.VAL_END: (1, 2),
    Event.EVALUATE: (1, 2),
    Event.METRICS: (1, 2),
    Event.EPOCH_END: (1, 2),
    Event.FIT_END: (1, 2),
    Event.WEIGHTS_CHOSEN: (1, 2),
    Event.CLOSE: (1, 2),
}
ERRORS = [Boom("broken"), KeyboardInterrupt(), SystemExit(3), RuntimeError("broken")]


def fail(*callbacks, expected):
    with pytest.raises(type(expected)) as caught:
        toy_fit(*callbacks, val=ToyBatches(3), epochs=1)
    assert caught.value is expected
    return caught.value


def test_every_event_but_on_exception_is_among_them():
    assert set(WHERE) == set(Event) - {Event.EXCEPTION}


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("event", WHERE, ids=lambda e: e.value)
def test_the_error_is_kept_and_says_where_it_came_from(event, error):
    error = type(error)(*error.args)
    epoch, step = WHERE[event]
    before, after = Recorder(), Recorder()
    found = fail(before, FailAt(event, error, epoch), after, expected=error)
    assert found.__notes__ == [f"raised by FailAt.{event.value} at epoch {epoch}, step {step}"]
    for recorder in (before, after):
        assert recorder.events.count("on_close") == 1
        assert recorder.events[-1] == "on_close"
        if event is Event.CLOSE:  # the fit was over: nothing to tell but to close
            assert recorder.errors == []
        else:
            assert recorder.errors == [error]
            assert recorder.events[-2] == "on_exception"


@pytest.mark.parametrize("event", [e for e in WHERE if e is not Event.CLOSE], ids=lambda e: e.value)
def test_the_rest_does_not_hear_an_event_that_failed(event):
    epoch, _ = WHERE[event]
    after = Recorder()
    fail(fails := FailAt(event, epoch=epoch), after, expected=fails.error)
    assert event.value not in [e for e, heard_epoch, *_ in after.heard if heard_epoch == epoch]


@pytest.mark.parametrize("event", [e for e in WHERE if e is not Event.CLOSE], ids=lambda e: e.value)
@pytest.mark.parametrize("second", [ValueError("second"), KeyboardInterrupt()], ids=repr)
def test_T34_what_fails_after_it_becomes_a_note(event, second):
    epoch, _ = WHERE[event]
    first, last = Boom("first"), Recorder()
    also = [FailAt("on_exception", second), FailAt("on_close", second)]
    found = fail(FailAt(event, first, epoch), *also, last, expected=first)
    assert found.__notes__[1:] == [
        f"FailAt.on_exception failed too: {second!r}",
        f"FailAt.on_close failed too: {second!r}",
    ]
    assert last.events[-2:] == ["on_exception", "on_close"]


def test_an_error_of_the_loop_itself_has_no_culprit():
    class Broken(ToyBatches):
        def epoch(self, number, start=0):
            raise OSError("disk")

    recorder = Recorder()
    with pytest.raises(OSError, match="disk") as caught:
        toy_fit(recorder, train=Broken())
    assert not hasattr(caught.value, "__notes__")
    assert recorder.events[-2:] == ["on_exception", "on_close"]


def test_all_fourteen_events_are_tried():
    assert len(WHERE) + 1 == len(Event) == 14


@pytest.mark.parametrize("event", [e for e in WHERE if e is not Event.CLOSE], ids=lambda e: e.value)
def test_of_several_that_fail_at_once_the_first_is_told(event):
    """Those behind it do not hear the event any more; all of them are closed, once."""
    epoch, step = WHERE[event]
    fails = [FailAt(event, Boom(str(i)), epoch) for i in range(3)]
    last = Recorder()
    found = fail(*fails, last, expected=fails[0].error)
    assert found.__notes__ == [f"raised by FailAt.{event.value} at epoch {epoch}, step {step}"]
    assert last.errors == [fails[0].error]
    assert last.events[-2:] == ["on_exception", "on_close"]


def test_of_several_that_fail_to_close_the_first_is_raised_and_names_the_others():
    fails, last = [FailAt("on_close", Boom(str(i))) for i in range(3)], Recorder()
    found = fail(*fails, last, expected=fails[0].error)
    assert found.__notes__[1:] == [
        "FailAt.on_close failed too: Boom('1')",
        "FailAt.on_close failed too: Boom('2')",
    ]
    assert last.events[-1] == "on_close"


def test_of_several_that_fail_in_on_exception_each_is_a_note():
    fails = [FailAt("on_exception", Boom(str(i))) for i in range(3)]
    first, last = Boom("first"), Recorder()
    found = fail(*fails, FailAt("on_epoch_end", first), last, expected=first)
    assert found.__notes__[1:] == [f"FailAt.on_exception failed too: Boom('{i}')" for i in range(3)]
    assert last.events[-2:] == ["on_exception", "on_close"]
