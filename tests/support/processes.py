"""Starts several processes on this machine, as a user does: through torchrun."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE = 120
"""Seconds that a launch may take: most of them are imports, twice on a busy machine."""


def environment() -> dict[str, str]:
    """One thread for each process, and the tests' own helpers in reach."""
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "ACCELERATE_USE_CPU": "true",
    }


class Launch:
    """`torchrun --nproc-per-node N …` in the background; output goes to files.

    Args:
        folder: Where the output goes.
        words: What torchrun is given: a script or `-m module`, and its arguments.
        count: How many processes.
    """

    def __init__(self, folder: Path, words: list[str], count: int = 2) -> None:
        self.out, self.err = folder / "torchrun.out", folder / "torchrun.err"
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [*torchrun, "--nproc-per-node", str(count), *words],
                stdout=out,
                stderr=err,
                env=environment(),
                cwd=folder,
            )

    def wait(self) -> int:
        """Wait for the end, and end it after a while."""
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.end()

    def until(self, there: Callable[[], bool]) -> None:
        """Wait for something, as long as it runs."""
        end = time.monotonic() + PATIENCE
        while not there():
            assert self.process.poll() is None, self.err.read_text()
            assert time.monotonic() < end, self.err.read_text()
            time.sleep(0.05)

    def pid_of(self, rank: int) -> int:
        """The process of a rank, found among torchrun's own children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for pid in children.read_text().split():
            if f"RANK={rank}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                return int(pid)
        raise AssertionError(f"no process of rank {rank}")

    def end(self) -> None:
        """End it and what it started, if that has not happened yet."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


def results(folder: Path, words: list[str], count: int = 2) -> list[Any]:
    """Launch a script that leaves `rank<n>.json` in the folder, and read what it left."""
    launch = Launch(folder, words, count)
    code = launch.wait()
    assert code == 0, launch.err.read_text()
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(count)]
