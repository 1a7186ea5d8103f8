"""Runs in the background: begun, looked at, stopped, gone on with and killed from outside."""

import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cli import Bench, flags

import nearer
from nearer.cli.detached import start
from nearer.errors import Interrupted, NearerError, UsageError
from nearer.run import stopping
from nearer.run.handle import Run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="--detach needs Linux or macOS")
PATIENCE = 300
"""Seconds that a process may take to come to its first epoch: most of them are imports."""


def until(there: Callable[[], bool], run: Run) -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end, run.logs()
        time.sleep(0.05)


@pytest.fixture
def killed_at_the_end() -> Iterator[list[int]]:
    """Numbers of processes; those that are still there at the end of the test are killed."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_run_in_the_background(
    tmp_path: Path,
    tiny_bert: Path,
    toy_files: dict[str, str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    killed_at_the_end: list[int],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEARER_RUNS", str(tmp_path / "runs"))
    bench = Bench(tmp_path, tiny_bert, toy_files, capfd, {"learning_rate": 1e-3})
    words = flags(bench.options(epochs=100_000, name="mine", checkpoint_every=1))
    ran = bench.run("fit", *words, "--detach", "--json")
    assert ran.code == 0, ran.err
    shown = json.loads(ran.out)
    assert (shown["run"], shown["artifact"]) == ("mine", None)
    assert shown["status"] in ("created", "running")
    run = nearer.get_run("mine", runs_dir=bench.runs)
    pid = run.record["process"]["pid"]
    killed_at_the_end.append(pid)
    assert os.getsid(pid) == pid  # so that no terminal's end reaches it
    streams = (
        {os.readlink(f"/proc/{pid}/fd/{n}") for n in range(3)} if os.path.isdir("/proc") else {}
    )
    assert not streams or streams == {os.devnull, str(run.folder / "log.txt")}
    until(lambda: len(run.history) > 1, run)

    # What is wrong with another one is told here, all at once.
    ran = bench.run("fit", *words, "--detach")
    assert (ran.code, ran.out) == (2, "")
    assert 'run "mine" exists in experiment "default"' in ran.err

    assert bench.run("runs", "stop", "mine", "--wait").out == "interrupted\n"
    assert run.stop_reason is not None
    assert run.stop_reason.detail.startswith("a stop asked for by ")
    assert run.artifact.is_dir()
    assert not (run.folder / "stop").exists()
    until(lambda: "\nerror: interrupted by a stop asked for by " in run.logs(), run)
    # A console's line differs from the log's in its time alone.
    lines = [re.sub(r"^\[[^]]*\] ", "", line) for line in run.logs().splitlines()]
    assert len(lines) == len(set(lines)), "the console's lines are in the log a second time"

    points = len(run.history)
    assert bench.run("runs", "resume", "mine", "--detach").out == "mine\n"
    killed_at_the_end.append(run.record["process"]["pid"])
    until(lambda: len(run.history) > points, run)
    os.kill(killed_at_the_end[-1], signal.SIGKILL)
    assert run.wait(PATIENCE) == "dead"
    ran = bench.run("runs", "stop", "mine")
    assert ran.code == 2
    assert "Go on with it: nearer runs resume mine" in ran.err


class Asks(nearer.Callback):
    """Asks its own run to stop, as another process would, at the second step."""

    def on_train_batch_end(self, ctx: Any) -> None:
        if ctx.step == 2:
            nearer.get_run("mine").stop()


def test_a_run_that_is_asked_to_stop_goes_on_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "EVERY", 0)
    options = bench.options(name="mine", callbacks=[Asks()])
    with pytest.raises(Interrupted, match="interrupted by a stop asked for by ") as caught:
        nearer.fit(**options)
    run = caught.value.run
    assert (caught.value.exit_code, caught.value.result.steps, run.status) == (
        130,
        2,
        "interrupted",
    )
    (run.folder / "stop").touch()  # of somebody who came too late
    assert nearer.fit(**options, resume=True).status == "finished"
    assert not (run.folder / "stop").exists()


def test_a_launcher_is_detached_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UsageError, match="detach the launcher itself"):
        start({}, json=False)


def test_a_process_that_cannot_be_started_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(NearerError, match="ended by signal 9 before it had begun"):
        start({}, json=False)
