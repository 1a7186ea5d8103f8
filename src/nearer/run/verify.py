"""Replaying from one checkpoint to the next and comparing: is a resume the same, bit for bit?"""

import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from nearer.errors import NearerError
from nearer.loop.snapshot import Snapshot, position_in
from nearer.loop.state import Position

LOGGER = logging.getLogger("nearer")
COMPARED = ("model", "loss", "optimizer", "scheduler", "history", "loop", "loss_sum", "processes")
MEASURED = "/graph_tokens"
"""What is measured in the first step, and hangs on the memory that was free then."""

NAMED = 5
"""Most differences that are named."""


class Verification:
    """A checkpoint that a replayed fit has to come by.

    Args:
        expected: Its snapshot.
    """

    def __init__(self, expected: Snapshot) -> None:
        self._expected = expected
        self._at = position_in(expected)

    def is_here(self, at: Position) -> bool:
        """Whether the fit stands where the checkpoint was taken."""
        return at == self._at

    def compare(self, taken: Snapshot) -> None:
        """Say that the replayed fit is the same.

        Raises:
            NearerError: It is not; names what differs.
        """
        found = [
            line
            for name in COMPARED
            for line in differences(self._expected[name], taken[name], name)
            if not line.endswith(MEASURED)
        ]
        if found:
            more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
            raise NearerError(
                f"replayed to step {self._at.step}, the fit differs from its checkpoint: "
                f"{', '.join(found[:NAMED])}{more}. A resume without verify goes on from there; "
                "other versions, threads, devices or data can be the reason"
            )
        LOGGER.info("Verified: replayed to step %s, every bit is the same", self._at.step)


def differences(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """Places at which two nested values differ; tensors are compared bit for bit.

    Example:
        >>> list(differences({"a": [1, 2]}, {"a": [1, 3]}))
        ['a/1']
    """
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from differences(one[key], other[key], f"{place}/{key}".lstrip("/"))
    elif isinstance(one, list | tuple) and type(one) is type(other) and len(one) == len(other):
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from differences(a, b, f"{place}/{i}".lstrip("/"))
    elif isinstance(one, Tensor) or isinstance(other, Tensor):
        if not (isinstance(one, Tensor) and isinstance(other, Tensor) and _equal(one, other)):
            yield place
    elif one != other and not (one != one and other != other):  # NaN is itself here
        yield place


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    flat = [t.detach().cpu().reshape(-1).view(torch.uint8) for t in (one, other)]
    return torch.equal(*flat)
