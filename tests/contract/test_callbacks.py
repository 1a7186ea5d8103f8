"""What every shipped callback keeps to. A new one is found by itself.

One that needs arguments gets a line in `ARGUMENTS`.
"""

import inspect
import io
import json

import pytest
from rich.console import Console
from support.recorder import Values
from support.toy import LABELLED, KeepsAll, ToyBatches, same, toy_encoder, toy_fit, weights_of

import nearer.callbacks as shipped
from nearer.callbacks import LambdaCallback
from nearer.errors import NearerError
from nearer.loop.callback import Callback
from nearer.loop.events import Event
from nearer.run.packing import pack, unpack
from nearer.run.verify import differences

ARGUMENTS = {
    "BestModelCheckpoint": lambda tmp: {"monitor": "score", "mode": "auto"},
    "CSVLogger": lambda tmp: {"filename": str(tmp / "m.csv"), "separator": ";"},
    "EarlyStopping": lambda tmp: {
        "monitor": "score",
        "mode": "max",
        "patience": 3,
        "min_delta": 0.1,
        "baseline": 0.2,
        "stopping_threshold": 2.0,
        "start_from_epoch": 1,
        "check_finite": False,
        "restore_best": True,
    },
    "EvaluationCallback": lambda tmp: {
        "query_data": LABELLED,
        "name": "mine",
        "limit": 3,
        "cutoffs": (1, 2),
        "distance": "dot",
        "definitions": "docarray",
        "truncate_dim": 4,
        "query_sample_size": 6,
        "sample_seed": 1,
        "every": 2,
        "memory_budget": "64MB",
        "gather_examples": False,
        "num_example_queries": 2,
    },
    "LambdaCallback": lambda tmp: {"metrics": {"x": "max"}, "on_evaluate": lambda ctx: {"x": 1}},
    "ProgressBar": lambda tmp: {"console": Console(file=io.StringIO())},
    "Tracker": lambda tmp: {
        "service": "tensorboard",
        "project": "mine",
        "folder": str(tmp / "tracked"),
        "every": 1,
        "options": {"flush_secs": 10},
    },
    "WiSEFT": lambda tmp: {
        "alpha": None,
        "alphas": (0.0, 0.5, 1.0),
        "monitor": "score",
        "mode": "max",
    },
}


@pytest.fixture(params=shipped.__all__)
def name(request):
    return request.param


@pytest.fixture
def arguments(name, tmp_path):
    if name in ARGUMENTS:
        return ARGUMENTS[name](tmp_path)
    needs = [
        p.name
        for p in inspect.signature(getattr(shipped, name)).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    if needs:
        pytest.fail(
            f"{name} needs {', '.join(needs)}: give it a line in ARGUMENTS of {__file__}, "
            "and every contract test runs over it"
        )
    return {}


@pytest.fixture
def callback(name, arguments):
    return getattr(shipped, name)(**arguments)


def fit(callback, **options):
    return toy_fit(callback, Values([0.5, 0.9, 0.1]), val=ToyBatches(3), **options)


def test_the_events_are_the_methods_of_a_callback():
    methods = {n for n, v in vars(Callback).items() if n.startswith("on_") and callable(v)}
    assert [event.value for event in Event] == [n for n in vars(Callback) if n in methods]
    assert inspect.getdoc(Event)
    for event in Event:
        assert event.value in inspect.getdoc(Event)
        assert inspect.getdoc(getattr(Callback, event.value))


def test_the_docstring_names_no_event_that_does_not_exist():
    import re

    assert set(re.findall(r"\bon_[a-z_]+", inspect.getdoc(Event))) == {e.value for e in Event}


def test_it_is_public_and_a_callback(name):
    import nearer

    cls = getattr(shipped, name)
    assert issubclass(cls, Callback)
    assert getattr(nearer, name) is cls
    assert name in nearer.__all__


def test_it_overrides_only_what_exists_and_says_what_for(name):
    cls = getattr(shipped, name)
    assert inspect.getdoc(cls)
    heard = [n for n in dir(cls) if n.startswith("on_") and callable(getattr(cls, n))]
    unknown = set(heard) - {event.value for event in Event}
    assert not unknown, f"{name} has methods that no event calls: {unknown}"
    for event in Event:
        assert inspect.getdoc(getattr(cls, event.value))


def test_every_argument_is_kept_under_its_own_name(name, arguments, callback):
    """`describe_callback` (run/registry.py) builds it again from these."""
    own = inspect.signature(type(callback)).parameters
    for parameter in own.values():
        assert parameter.name in vars(callback), f"{name} does not keep {parameter.name}"
        kept = getattr(callback, parameter.name)
        if parameter.kind is parameter.VAR_KEYWORD:
            assert kept == {k: v for k, v in arguments.items() if k not in own}
        else:
            assert kept == arguments.get(parameter.name, parameter.default)


def test_arguments_that_are_left_out_are_kept_as_their_defaults(name, tmp_path):
    cls = getattr(shipped, name)
    parameters = inspect.signature(cls).parameters.values()
    given = ARGUMENTS.get(name, lambda tmp: {})(tmp_path)
    needed = {p.name: given[p.name] for p in parameters if p.default is p.empty and p.name in given}
    made = cls(**needed)
    for parameter in parameters:
        if parameter.default not in (None, parameter.empty):
            assert getattr(made, parameter.name) == parameter.default


def test_arguments_are_not_changed_by_a_fit(arguments, callback):
    before = {n: vars(callback)[n] for n in inspect.signature(type(callback)).parameters}
    callback.check()
    fit(callback)
    assert before == {n: vars(callback)[n] for n in before}


def test_it_serves_two_fits_and_both_are_the_same(callback):
    callback.check()
    results = [fit(callback, encoder=toy_encoder()) for _ in range(2)]
    assert results[0] == results[1]


def test_it_can_be_closed_twice_and_without_a_fit(name, arguments, callback):
    closed = []

    def close(ctx):
        for _ in range(2):
            callback.on_close(ctx)
            getattr(shipped, name)(**arguments).on_close(ctx)
        closed.append(True)

    toy_fit(Values([0.5, 0.9, 0.1]), callback, LambdaCallback(on_close=close))
    assert closed


def test_it_survives_a_fit_that_ends_before_it_began(callback):
    fails = LambdaCallback(on_fit_begin=lambda ctx: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as caught:
            toy_fit(fails, callback, Values([1]))
        (note,) = caught.value.__notes__  # where it came from, and nothing that failed after it
        assert note == "raised by LambdaCallback.on_fit_begin at epoch 0, step 0"
        fit(callback)


def through_a_checkpoint(state):
    values, tensors = pack(state)
    return unpack(json.loads(json.dumps(values)), tensors)


def test_its_state_goes_through_a_checkpoint(callback):
    states, again = [], []

    def note(ctx):
        states.append(callback.state_dict())
        callback.load_state_dict(through_a_checkpoint(states[-1]))
        again.append(callback.state_dict())

    result = fit(callback)
    noted = toy_fit(
        callback, Values([0.5, 0.9, 0.1]), LambdaCallback(on_epoch_end=note), val=ToyBatches(3)
    )
    assert len(states) == 2
    assert {p.rpartition("/")[2] for p in differences(states, again)} <= TIMES
    assert noted == result  # going through a checkpoint changed nothing


TIMES = {"seconds"}
"""Names, in a callback's state, of what no two fits have in common."""


@pytest.mark.parametrize("options", [{}, {"evaluate_every": 1}])
def test_interrupted_anywhere_and_resumed_is_the_same(name, options, tmp_path):
    """Weights, result, the callback's own state at the end, and the files that it has written."""

    def make(folder):
        folder.mkdir()
        callback = getattr(shipped, name)(**ARGUMENTS.get(name, lambda tmp: {})(folder))
        callback.check()
        return callback

    def end(callback, encoder, keeper, resume=None):
        states = []
        note = LambdaCallback(on_fit_end=lambda ctx: states.append(callback.state_dict()))
        values = Values([0.5, 0.9, 0.1, 0.7, 0.3])
        given = {"encoder": encoder, "keeper": keeper, "resume": resume, "val": ToyBatches(3)}
        result = toy_fit(note, callback, values, **given, **options)
        return result, weights_of(encoder), states

    keeper = KeepsAll()
    result, weights, states = end(make(tmp_path / "whole"), toy_encoder(), keeper)
    for i, (at, taken) in enumerate(keeper.kept):
        folder = tmp_path / str(i)
        again = make(folder)
        found = end(again, toy_encoder(1), None, through_a_checkpoint(taken))
        assert found[0] == result, at
        assert same(found[1], weights), at
        assert {p.rpartition("/")[2] for p in differences(states, found[2])} <= TIMED, at
        for file in (tmp_path / "whole").glob("*.csv"):
            assert (folder / file.name).read_text() == file.read_text()


TIMED = {*TIMES, *map(str, range(10))}
"""The same, and the times of batches, which stand in a list."""


PERMITTED = {Event.FIT_BEGIN, Event.FIT_END, Event.WEIGHTS_CHOSEN}


class Guard(Callback):
    """Compares the weights before and after another callback hears an event."""

    def __init__(self, guarded):
        self.guarded, self.changed, self.heard = guarded, set(), set()

    def check(self):
        self.guarded.check()

    def produces(self, model_name):
        return self.guarded.produces(model_name)

    def monitors(self, declared):
        return self.guarded.monitors(declared)


def _guarded(event):
    def method(self, ctx, *rest):
        before = weights_of(self.encoder)
        returned = getattr(self.guarded, event.value)(ctx, *rest)
        if not same(before, weights_of(self.encoder)):
            self.changed.add(event)
        self.heard.add(event)
        return returned

    return method


for _event in Event:
    setattr(Guard, _event.value, _guarded(_event))


@pytest.mark.parametrize("error", [None, ValueError("broken")])
def test_it_changes_weights_only_where_it_may(callback, error):
    guard = Guard(callback)
    guard.encoder = toy_encoder()
    guard.check()

    def stop(ctx):
        if error is not None and ctx.step == 3:
            raise error

    listen = LambdaCallback(on_train_batch_end=stop)
    try:
        fit_two = toy_fit(
            guard, Values([0.5, 0.9, 0.1]), listen, encoder=guard.encoder, val=ToyBatches(3)
        )
        assert fit_two.epochs_run == 2
    except ValueError:
        assert error is not None
    missing = set() if error is None else {Event.FIT_END, Event.WEIGHTS_CHOSEN}
    assert guard.heard | {Event.EXCEPTION} == set(Event) - missing
    assert guard.changed <= PERMITTED


def test_every_name_is_told_apart_from_a_typo(name, arguments):
    from nearer.run.registry import build_callback

    with pytest.raises(NearerError, match=f'Did you mean "{name}"'):
        build_callback({"name": name + "x"})
