"""Which of several processes was lost, and why: what it left in their store, or that it is gone."""

import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch.distributed as dist

FAILED = "nearer/failed/"
"""Where in the store of the processes one leaves why it failed."""

TRIES, PAUSE = 20, 0.1
"""How often, and how many seconds apart, it is looked for: a connection ends before its process."""


@dataclass(frozen=True)
class Member:
    """One of the processes, so that the others can look for it."""

    host: str
    pid: int


def leave_word(rank: int, error: BaseException) -> None:
    """Leave the others word why this process ends."""
    with suppress(Exception):  # the store may be gone with the process that held it
        store = dist.distributed_c10d._get_default_store()
        store.set(f"{FAILED}{rank}", f"{type(error).__name__}: {error}")


def who_was_lost(rank: int, members: Sequence[Member], error: BaseException) -> str:
    """Say which process does not answer, as far as that is known here.

    Args:
        rank: Of the process that asks.
        members: All of them, by rank.
        error: What the exchange failed with.
    """
    found = lost_for_certain(rank, members)
    if found is not None:
        return found
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return (
        f"another of the {len(members)} processes died or does not answer ({lines[0]}); "
        "its own output says more"
    )


def lost_for_certain(rank: int, members: Sequence[Member]) -> str | None:
    """Which processes have failed or died, once that is known here; None where none is known to."""
    for _ in range(TRIES):
        said, gone = [], []
        for other, member in enumerate(members):
            if other == rank:
                continue
            name = f"process {other} of {len(members)}"
            why = _word_of(other)
            if why is not None:
                said.append(f"{name} failed: {why}")
            elif member.host == socket.gethostname() and not lives(member.pid):
                gone.append(f"{name} (pid {member.pid} on {member.host}) has died")
        if said or gone:
            return "; ".join(said or gone)
        time.sleep(PAUSE)
    return None


def lives(pid: int) -> bool:
    """Whether a process on this machine runs, and is not only waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True


def _word_of(rank: int) -> str | None:
    with suppress(Exception):
        store = dist.distributed_c10d._get_default_store()
        if store.check([f"{FAILED}{rank}"]):
            return str(store.get(f"{FAILED}{rank}").decode())
    return None
