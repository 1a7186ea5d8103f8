"""How a run was started: alone, or as one of several processes of `torchrun` or `accelerate`."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from nearer.errors import NearerError, ProcessLost

if TYPE_CHECKING:
    import numpy as np
    import torch

    from nearer.loop.world import World

T = TypeVar("T")
LOGGER = logging.getLogger("nearer")


def processes_asked() -> int:
    """How many processes the launcher has started; 1 without one."""
    given = os.environ.get("WORLD_SIZE", "1")
    return int(given) if given.isdigit() and "RANK" in os.environ else 1


def is_main() -> bool:
    """Whether this is the first process, which prints; imports no torch."""
    return processes_asked() == 1 or os.environ.get("RANK") == "0"


def open_world(device: "torch.device") -> "World":
    """The processes of this run, once the accelerator has brought them together."""
    from nearer.loop.world import ALONE

    if processes_asked() == 1:
        return ALONE
    from nearer.loop.several import Several

    return Several(device)


class Shared:
    """The processes that share an evaluation outside of a run; nobody ends it but its end."""

    def __init__(self, world: "World") -> None:
        self.rank, self.size = world.rank, world.size
        self._world = world

    def cut(self) -> bool:
        """Never: a signal ends the process."""
        return False

    def obey(self) -> None:
        """Go on."""

    def arrays(self, array: "np.ndarray") -> "list[np.ndarray]":
        """The arrays of all processes, in order of their ranks."""
        return self._world.arrays(array)


def on_all(world: "World", action: Callable[[], T]) -> T:
    """Do something in every process; where it fails in one of them, all end, and one says why.

    Raises:
        NearerError: What failed here, or, where it failed only elsewhere, ProcessLost with the same
            exit code.
    """
    failure: NearerError | None = None
    try:
        value = action()
    except NearerError as error:
        failure = error
    said = world.exchange(None if failure is None else (str(failure), failure.exit_code))
    if failure is not None:
        failure.told = any(one == said[world.rank] for one in said[: world.rank])
        raise failure
    for rank, one in enumerate(said):
        if one is not None:
            elsewhere = ProcessLost(f"process {rank} of {world.size} failed: {one[0]}")
            elsewhere.exit_code, elsewhere.told = one[1], True
            raise elsewhere
    return value


def main_first(world: "World", action: Callable[[], T]) -> T:
    """Do something in the first process and then in the others, which find what it has kept.

    Raises:
        NearerError: As `on_all`.
    """
    if world.size == 1:
        return action()
    found = on_all(world, lambda: action() if world.is_main else None)
    return on_all(world, lambda: found if world.is_main else action())  # type: ignore[return-value]


@contextmanager
def quiet_but_first(world: "World") -> Iterator[None]:
    """Let only the first process log; the others would say the same."""
    if world.is_main:
        yield
        return
    before = LOGGER.level
    LOGGER.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        LOGGER.setLevel(before)
