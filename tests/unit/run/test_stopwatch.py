from support.toy import LABELLED, toy_fit

from nearer.callbacks import EvaluationCallback
from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.run.stopwatch import Stopwatch


class Clock:
    """A clock that callbacks move on: an evaluation takes 10 seconds, a batch one."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(Callback):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_batch_begin(self, ctx: Context) -> None:
        self.clock.now += 1

    def on_evaluate(self, ctx: Context) -> None:
        self.clock.now += 10


def test_training_and_evaluation_are_told_apart() -> None:
    clock = Clock()
    stopwatch = Stopwatch(clock)
    result = toy_fit(Slow(clock), EvaluationCallback(LABELLED), stopwatch, epochs=2)
    assert stopwatch.spent == {"training": result.steps, "evaluation": 30}
    assert stopwatch.of(100, 5) == {
        "preparing": 100 - result.steps - 35,
        "training": result.steps,
        "evaluation": 30,
        "artifact": 5,
    }


def test_one_that_goes_on_counts_on() -> None:
    clock = Clock()
    stopwatch = Stopwatch(clock)
    clock.now = 1000.0
    stopwatch.load_state_dict({"spent": {"training": 7.0, "evaluation": 2.0}})
    assert Stopwatch(clock).state_dict() != stopwatch.state_dict()
    assert stopwatch.state_dict() == {"spent": {"training": 7.0, "evaluation": 2.0}}
