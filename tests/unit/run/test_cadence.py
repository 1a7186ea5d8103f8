"""How often a run is kept."""

import pytest

from nearer.errors import UsageError
from nearer.loop.state import Position
from nearer.run.cadence import Cadence, Last, due, read_cadence


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("5min", Cadence("seconds", 300)),
        ("30s", Cadence("seconds", 30)),
        (" 2 H ", Cadence("seconds", 7200)),
        ("0.5s", Cadence("seconds", 0.5)),
        ("epoch", Cadence("epoch")),
        (200, Cadence("steps", 200)),
        ("200", Cadence("steps", 200)),
        (0, Cadence("never")),
        ("never", Cadence("never")),
    ],
)
def test_what_can_be_said(said, expected):
    assert read_cadence(said) == expected


@pytest.mark.parametrize("said", ["", "5", "often", "0min", "-3", "5 days", "1e3s", True, 2.5])
def test_what_cannot(said):
    if said == "5":
        assert read_cadence(said).unit == "steps"
        return
    with pytest.raises(UsageError, match='"5min", "30s", "2h", "epoch", a number of steps'):
        read_cadence(said)


def at(step=10, epoch=1, ended=False, pending=False):
    return Position(epoch, step, step, 1, ended, pending)


@pytest.mark.parametrize(
    ("every", "now", "last", "where", "expected"),
    [
        (Cadence("seconds", 300), 299.9, Last(0), at(), False),
        (Cadence("seconds", 300), 300.0, Last(0), at(), True),
        (Cadence("seconds", 300), 400.0, Last(200), at(), False),
        (Cadence("seconds", 300), 900.0, Last(0), at(pending=True), False),
        (Cadence("steps", 5), 0.0, Last(0, step=5), at(), True),
        (Cadence("steps", 5), 0.0, Last(0, step=6), at(), False),
        (Cadence("steps", 5), 0.0, Last(0), at(pending=True), False),
        (Cadence("epoch"), 0.0, Last(0), at(ended=True), True),
        (Cadence("epoch"), 0.0, Last(0), at(), False),
        (Cadence("epoch"), 0.0, Last(0, epoch=1), at(ended=True), False),
        (Cadence("epoch"), 0.0, Last(0), at(0, 0, ended=True), False),
        (Cadence("never"), 1e9, Last(0), at(ended=True), False),
    ],
)
def test_the_rule(every, now, last, where, expected):
    assert due(every, now, last, where) is expected
