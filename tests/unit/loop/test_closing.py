"""A fit ends with every metric, also where somebody evaluates at some points only."""

import pytest
from support.recorder import Recorder, Values
from support.toy import ToyBatches, toy_fit

from nearer.callbacks import LambdaCallback
from nearer.loop.callback import Callback
from nearer.loop.metrics import MetricInfo


class Every(Callback):
    """Reports the step at every n-th point, the first and the last.

    Args:
        n: Points from one to the next.
    """

    def __init__(self, n):
        self.n, self.last = n, []

    def produces(self, model_name):
        return [MetricInfo("here", "max", "here")]

    def on_fit_begin(self, ctx):
        self.last = []

    def on_evaluate(self, ctx):
        self.last.append(ctx.is_last)
        if len(ctx.history) % self.n and not ctx.is_last:
            return None
        return {"here": ctx.step}


def here(result):
    return [(p.epoch, p.metrics.get("here")) for p in result.history]


@pytest.mark.parametrize(
    ("n", "epochs", "expected"),
    [
        (1, 2, [(0, 0), (1, 2), (2, 4)]),
        (2, 4, [(0, 0), (1, None), (2, 4), (3, None), (4, 8)]),
        (2, 3, [(0, 0), (1, None), (2, 4), (3, 6)]),
        (9, 3, [(0, 0), (1, None), (2, None), (3, 6)]),
    ],
)
def test_the_first_and_the_last_point(n, epochs, expected):
    every = Every(n)
    result = toy_fit(every, epochs=epochs)
    assert here(result) == expected
    assert every.last == [False] * epochs + [True]
    assert result.kept.metrics["here"] == 2 * epochs


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_points_by_steps(steps):
    result = toy_fit(Every(2), epochs=3, evaluate_every=steps, train=ToyBatches(9))
    points = [0, *range(steps, 9, steps), 9]
    expected = [s if not i % 2 or s == 9 else None for i, s in enumerate(points)]
    assert [p.step for p in result.history] == points
    assert [p.metrics.get("here") for p in result.history] == expected


STOPS = {
    "on_train_batch_end": [(0, 0), (1, 1)],
    "on_metrics": [(0, 0), (1, None), (1, 2)],
    "on_epoch_end": [(0, 0), (1, None), (1, 2)],
}


@pytest.mark.parametrize("event", STOPS)
def test_a_stop_at_a_point_that_was_passed_over(event):
    stop = LambdaCallback(**{event: lambda ctx: ctx.request_stop("enough") if ctx.step else None})
    recorder = Recorder()
    result = toy_fit(Every(3), stop, recorder, Values([1, 2, 3]), epochs=5)
    assert here(result) == STOPS[event]
    assert result.kept == result.history[-1]
    assert result.kept.metrics.keys() == {"train_loss", "here", "score"}
    # Only who passed is asked again; what the others said stays.
    assert result.kept.metrics["score"] == 2
    assert recorder.events.count("on_metrics") == len(result.history)
    assert recorder.events[-3:] == ["on_fit_end", "on_weights_chosen", "on_close"]


def test_a_stop_in_on_epoch_end_between_two_points():
    stop = LambdaCallback(on_epoch_end=lambda ctx: ctx.request_stop("enough"))
    result = toy_fit(Every(4), stop, epochs=5, evaluate_every=3)
    assert [(p.step, p.metrics.get("here")) for p in result.history] == [(0, 0), (2, 2)]
    assert result.epochs_run == 1
    assert result.kept == result.history[-1]


def test_who_declares_nothing_does_not_pass():
    heard = []
    listener = LambdaCallback(on_evaluate=lambda ctx: heard.append(ctx.step))
    stop = LambdaCallback(on_metrics=lambda ctx: ctx.request_stop("enough") if ctx.step else None)
    result = toy_fit(listener, stop, epochs=3)
    assert heard == [0, 2]
    assert len(result.history) == 2


def test_who_passes_for_good_is_asked_once_more_and_makes_no_point():
    class Never(Every):
        def on_evaluate(self, ctx):
            self.last.append(ctx.is_last)
            return None

    never = Never(1)
    stop = LambdaCallback(on_metrics=lambda ctx: ctx.request_stop("enough") if ctx.step else None)
    result = toy_fit(never, stop, epochs=3)
    assert never.last == [False, False, True]
    assert len(result.history) == 2
