"""How often a run is kept: the option read, and the rule. Takes no time itself, writes nothing."""

import re
from dataclasses import dataclass
from typing import Literal

from nearer.errors import UsageError
from nearer.loop.state import Position

SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
SAYS = 'must be "5min", "30s", "2h", "epoch", a number of steps, or "never"'


@dataclass(frozen=True)
class Cadence:
    """How often something is done.

    Attributes:
        unit: What is counted.
        amount: Of them, from one time to the next.
    """

    unit: Literal["never", "epoch", "steps", "seconds"]
    amount: float = 1


@dataclass(frozen=True)
class Last:
    """When a run was last kept: seconds of any clock, a step and the last whole epoch."""

    time: float
    step: int = 0
    epoch: int = 0


def read_cadence(value: int | str) -> Cadence:
    """Read the option `checkpoint_every`.

    Raises:
        UsageError: It is none of what can be said.

    Example:
        >>> read_cadence("5min"), read_cadence(200).unit, read_cadence("never").unit
        (Cadence(unit='seconds', amount=300.0), 'steps', 'never')
    """
    text = str(value).strip().lower()
    if text in ("0", "never"):
        return Cadence("never")
    if text == "epoch":
        return Cadence("epoch")
    if text.isdecimal():
        return Cadence("steps", int(text))
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h)", text)
    if found is None or not float(found[1]):
        raise UsageError(f"checkpoint_every is {value!r}; {SAYS}")
    return Cadence("seconds", float(found[1]) * SECONDS[found[2]])


def due(every: Cadence, now: float, last: Last, at: Position) -> bool:
    """Whether a run is to be kept where it stands.

    Not where an evaluation comes next, as it would have to be done again, and not twice at a place
    where nothing was trained in between.

    Example:
        >>> at = Position(epoch=1, batch=50, step=50, points=1, ended=False)
        >>> due(Cadence("steps", 20), 0.0, Last(0.0, step=40), at)
        False
        >>> due(Cadence("seconds", 300), 301.0, Last(0.0), at)
        True
    """
    if at.pending:
        return False
    if every.unit == "seconds":
        return now - last.time >= every.amount
    if every.unit == "steps":
        return at.step - last.step >= every.amount
    return every.unit == "epoch" and at.ended and at.epoch > last.epoch
