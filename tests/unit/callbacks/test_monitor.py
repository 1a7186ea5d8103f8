"""The rule as a table: values of epochs 0, 1, 2, … to (stop epoch, best epoch)."""

import json
from math import inf, nan

import pytest

from nearer.callbacks.monitor import Monitor, Rule, decide
from nearer.loop.state import StopKind

# id: values, options of the rule, (stop epoch, best epoch)
TABLE = {
    "a rise every epoch never stops": ([0.1, 0.2, 0.3, 0.4], {}, (None, 3)),
    "no values: nothing is best": ([], {}, (None, None)),
    "a fall stops after patience epochs": ([0.5, 0.4, 0.3, 0.2], {}, (2, 0)),
    "the wait begins anew after a gain": ([0.1, 0.0, 0.2, 0.1, 0.3, 0.2], {}, (None, 4)),
    "patience 3 waits for three": ([0.5, 0.4, 0.3, 0.2, 0.1], {"patience": 3}, (3, 0)),
    "patience 1 stops at the first epoch without a gain": (
        [0.1, 0.2, 0.2, 0.9],
        {"patience": 1},
        (2, 1),
    ),
    "patience 1 does not stop at epoch 0": ([0.1], {"patience": 1}, (None, 0)),
    "an equal value is no gain, and the earliest of equals is best": (
        [0.5, 0.5, 0.5],
        {},
        (2, 0),
    ),
    "a gain of exactly min_delta does not count": (
        [0.5, 0.75, 0.75],
        {"min_delta": 0.25},
        (2, 1),
    ),
    "a gain of more than min_delta counts": (
        [0.5, 0.8125, 0.8125],
        {"min_delta": 0.25},
        (None, 1),
    ),
    "a slow climb below min_delta per epoch adds up": (
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.25],
        {"min_delta": 0.375},
        (None, 5),
    ),
    "a climb too slow for patience stops, and its last value is still best": (
        [0.0, 0.125, 0.25, 0.375],
        {"min_delta": 0.375},
        (2, 2),
    ),
    "a gain below min_delta is best though it does not count": (
        [0.5, 0.5625, 0.5],
        {"min_delta": 0.25},
        (2, 1),
    ),
    "NaN first ends the fit, and nothing is best": ([nan, 0.5], {}, (0, None)),
    "NaN first without check_finite is passed over": (
        [nan, 0.5, 0.4, 0.3],
        {"check_finite": False},
        (3, 1),
    ),
    "NaN later ends the fit at once, and the best stays": ([0.1, 0.5, nan, 0.9], {}, (2, 1)),
    "NaN later without check_finite counts as no gain": (
        [0.1, 0.5, nan, nan, 0.9],
        {"check_finite": False},
        (3, 1),
    ),
    "infinity ends the fit and is never best": ([0.1, inf, 0.9], {}, (1, 0)),
    "infinity without check_finite is never best": (
        [0.1, inf, 0.2, 0.3],
        {"check_finite": False},
        (None, 3),
    ),
    "minus infinity in mode min is never best": (
        [0.5, -inf, 0.4],
        {"direction": "min", "check_finite": False},
        (None, 2),
    ),
    "mode min: a metric that goes down never stops": (
        [3.0, 2.0, 1.0, 0.5],
        {"direction": "min"},
        (None, 3),
    ),
    "mode min: a metric that goes up stops": ([1.0, 2.0, 3.0], {"direction": "min"}, (2, 0)),
    "mode min: min_delta is a fall of more than that": (
        [1.0, 0.75, 0.75],
        {"direction": "min", "min_delta": 0.25},
        (2, 1),
    ),
    "mode max: a metric that goes down stops": ([3.0, 2.0, 1.0], {}, (2, 0)),
    "a baseline never reached stops though the values rise": (
        [0.1, 0.2, 0.3, 0.4],
        {"baseline": 0.9},
        (2, 2),
    ),
    "a baseline that is only equalled is not reached": (
        [0.5, 0.5, 0.5],
        {"baseline": 0.5},
        (2, 0),
    ),
    "a baseline reached, then a fall, stops though all stays above it": (
        [0.1, 0.8, 0.7, 0.6, 0.65],
        {"baseline": 0.5},
        (3, 1),
    ),
    "a baseline must be beaten by more than min_delta": (
        [0.5, 0.75, 0.75],
        {"baseline": 0.5, "min_delta": 0.25},
        (2, 1),
    ),
    "mode min: a baseline is a bar from above": (
        [0.9, 0.4, 0.45, 0.48],
        {"baseline": 0.5, "direction": "min"},
        (3, 1),
    ),
    "stopping_threshold stops as soon as it is reached": (
        [0.1, 0.5, 0.9, 0.95],
        {"threshold": 0.9},
        (2, 2),
    ),
    "stopping_threshold reached by the model as it came stops at epoch 0": (
        [0.95, 0.99],
        {"threshold": 0.9},
        (0, 0),
    ),
    "mode min: stopping_threshold is reached from above": (
        [0.9, 0.5, 0.1],
        {"threshold": 0.5, "direction": "min"},
        (1, 1),
    ),
    "start_from_epoch: earlier epochs are not waited for": (
        [0.5, 0.4, 0.3, 0.2, 0.1, 0.0],
        {"start_from_epoch": 3},
        (5, 0),
    ),
    "start_from_epoch: an earlier epoch can be the best": (
        [0.1, 0.9, 0.3, 0.4, 0.4, 0.4],
        {"start_from_epoch": 2},
        (5, 1),
    ),
    "start_from_epoch: the mark is the first value from there on, not an earlier one": (
        [0.9, 0.8, 0.1, 0.2, 0.3, 0.4],
        {"start_from_epoch": 2},
        (None, 0),
    ),
    "start_from_epoch: an earlier value past the threshold does not stop": (
        [0.95, 0.95, 0.1, 0.95],
        {"start_from_epoch": 2, "threshold": 0.9},
        (3, 0),
    ),
    "start_from_epoch: NaN ends the fit all the same": (
        [0.1, nan, 0.2],
        {"start_from_epoch": 5},
        (1, 0),
    ),
    "start_from_epoch: an earlier NaN without check_finite is not waited for": (
        [nan, nan, nan, 0.1],
        {"start_from_epoch": 3, "check_finite": False},
        (None, 3),
    ),
}


@pytest.mark.parametrize(("values", "options", "expected"), TABLE.values(), ids=TABLE)
def test_the_rule(values, options, expected):
    assert decide(values, Rule(**{"direction": "max", "patience": 2, **options})) == expected


@pytest.mark.parametrize(
    ("values", "options", "kind"),
    [
        ([0.5, 0.4, 0.3], {}, StopKind.PATIENCE),
        ([0.5, nan], {}, StopKind.NON_FINITE),
        ([0.5, 0.95], {"threshold": 0.9}, StopKind.THRESHOLD),
        ([0.5, 0.95, 0.94, 0.93], {"threshold": 0.9, "start_from_epoch": 3}, StopKind.THRESHOLD),
    ],
)
def test_the_kind_of_stop(values, options, kind):
    monitor = Monitor(Rule("max", **options))
    verdicts = [monitor.observe(value, epoch) for epoch, value in enumerate(values)]
    assert [v.stop for v in verdicts] == [None] * (len(values) - 1) + [kind]


def test_several_points_in_one_epoch_are_counted_one_by_one():
    monitor = Monitor(Rule("max", patience=2))
    stops = [monitor.observe(value, epoch).stop for value, epoch in [(0.5, 0), (0.4, 1), (0.3, 1)]]
    assert stops == [None, None, StopKind.PATIENCE]


def test_T24_the_bar_is_not_put_back():
    """Once the baseline is cleared, the mark is the best value, not the baseline again."""
    assert decide([0.6, 0.59, 0.58, 0.57], Rule("max", 2, baseline=0.5)) == (2, 0)
    monitor = Monitor(Rule("max", 2, baseline=0.5))
    for epoch, value in enumerate([0.6, 0.59]):
        monitor.observe(value, epoch)
    assert (monitor.best, monitor.mark) == (0.6, 0.6)


def test_state_goes_through_json_and_counting_goes_on():
    values = [0.5, 0.6, 0.55, 0.54, 0.9]
    rule = Rule("max", patience=2)
    first = Monitor(rule)
    for epoch in range(3):
        first.observe(values[epoch], epoch)
    second = Monitor(rule, **json.loads(json.dumps(first.state_dict())))
    assert second == first
    assert second.observe(values[3], 3).stop is StopKind.PATIENCE
