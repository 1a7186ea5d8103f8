"""Signals and failing callbacks: how a run ends, what it leaves, what it says."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from support.cli import Bench, flags

import nearer
from nearer.run.signals import SignalWatch

PATIENCE = 60
"""Seconds that a process may take to come to its first epoch: most of them are imports."""


DRIVER = """
import faulthandler, json, os, signal, sys
import nearer.run.execute  # what takes long is imported once, for all of them
from nearer.cli.main import main
faulthandler.register(signal.SIGUSR1)  # children say where they are when they are asked
started = {}
for name, words in json.loads(sys.argv[1]).items():
    pid = os.fork()
    if pid == 0:
        for number, end in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{name}.{end}", os.O_CREAT | os.O_WRONLY), number)
        sys.argv = ["nearer", *words]
        main()
    started[pid] = name
print(json.dumps({name: pid for pid, name in started.items()}), flush=True)
ended = {}
while len(ended) < len(started):
    pid, status = os.wait()
    ended[started[pid]] = os.waitstatus_to_exitcode(status)
print(json.dumps(ended), flush=True)
"""


def wait_for_epoch(bench: Bench, name: str, number: int, pid: int) -> None:
    metrics = bench.runs / "default" / name / "metrics.jsonl"
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if metrics.is_file() and metrics.read_text().count("\n") > number:
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGUSR1)
    time.sleep(0.5)
    pytest.fail(f"no epoch {number} of {name}: {(bench.folder / (name + '.err')).read_text()}")


def test_T12_signals(bench: Bench) -> None:
    """Processes that train for long are sent a signal each, when an epoch is done."""
    signals = {"int": signal.SIGINT, "term": signal.SIGTERM, "kill": signal.SIGKILL}
    words = {
        name: ["fit", *flags(bench.options(epochs=100_000, name=name)), "--json"]
        for name in signals
    }
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, json.dumps(words)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as driver:
        assert driver.stdout is not None
        pids = json.loads(driver.stdout.readline())
        try:
            for name, number in signals.items():
                wait_for_epoch(bench, name, 1, pids[name])
                os.kill(pids[name], number)
            ended = json.loads(driver.stdout.readline())
        finally:
            for pid in pids.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    assert ended == {"int": 130, "term": 143, "kill": -signal.SIGKILL}
    check_interrupted(bench, "int", "SIGINT")
    check_interrupted(bench, "term", "SIGTERM")
    check_killed(bench)


def check_interrupted(bench: Bench, run: str, name: str) -> None:
    folder = bench.runs / "default" / run
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "interrupted"
    assert record["stop_reason"]["kind"] == "interrupted"
    assert record["stop_reason"]["detail"].startswith(f"{name} at epoch ")
    # The best so far is in the artifact, and scores what the record says.
    shown = bench.json("runs", "show", run)
    assert json.loads((bench.folder / f"{run}.out").read_text()) == shown
    assert shown["epochs_run"] >= 1
    best = shown["history"][shown["best_epoch"]]["metrics"]
    assert shown["metrics"]["after"] == best
    scores = [point["metrics"]["tiny-bert_ndcg_at_k"] for point in shown["history"]]
    assert best["tiny-bert_ndcg_at_k"] == max(scores)
    evaluated = bench.evaluate_json(shown["artifact"])["metrics"]
    assert evaluated == {k: v for k, v in best.items() if k != "train_loss"}
    # The way on comes last, and the terminal is clean.
    err = (bench.folder / f"{run}.err").read_text()
    lines = err.rstrip().splitlines()
    assert lines[-1] == f"error: interrupted by {name}"
    command = lines[-2].partition("Go on with: ")[2]
    assert shlex.split(command)[:4] == ["nearer", "runs", "resume", run]
    assert "Traceback" not in err
    assert "\x1b" not in err
    assert not [p for p in folder.rglob("*") if p.name.endswith(".tmp")]


def check_killed(bench: Bench) -> None:
    listed = {run["run"]: run for run in bench.json("runs", "list")["runs"]}
    assert listed["kill"]["status"] == "dead"
    assert json.loads((bench.runs / "default/kill/run.json").read_text())["status"] == "running"
    told = bench.run("runs", "list").out
    assert "kill is dead; nearer runs resume kill" in told
    again = bench.json(
        "fit", "--resume", "--name", "kill", "--epochs", "1", "--runs-dir", bench.runs
    )
    assert again["status"] == "finished"
    assert [point["epoch"] for point in again["history"]] == [0, 1]


class Signals(nearer.Callback):
    """Sends a signal to this process, once, at one event."""

    def __init__(self, event: str, number: int = signal.SIGINT) -> None:
        self.number = number
        self.sent = False
        self.event = event

    def _hear(self, event: str) -> None:
        if event == self.event and not self.sent:
            self.sent = True
            os.kill(os.getpid(), self.number)

    def on_fit_begin(self, ctx: Any) -> None:
        self._hear("on_fit_begin")

    def on_train_batch_begin(self, ctx: Any) -> None:
        self._hear("on_train_batch_begin")

    def on_evaluate(self, ctx: Any) -> None:
        self._hear("on_evaluate")

    def on_epoch_end(self, ctx: Any) -> None:
        self._hear("on_epoch_end")


@pytest.mark.parametrize(
    "event", ["on_fit_begin", "on_train_batch_begin", "on_evaluate", "on_epoch_end"]
)
def test_a_signal_at_any_event_finishes_the_step_and_keeps_the_best(
    event: str, bench: Bench
) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(nearer.Interrupted) as caught:
        nearer.fit(**bench.options(name="mine", callbacks=[Signals(event)], epochs=50))
    assert signal.getsignal(signal.SIGINT) is before
    run = caught.value.run
    assert caught.value.exit_code == 130
    assert run.status == "interrupted"
    assert run.stop_reason.kind == "interrupted"
    assert caught.value.result.steps == {"on_train_batch_begin": 1, "on_epoch_end": 5}.get(event, 0)
    assert run.artifact.is_dir()
    assert nearer.get_run("mine").model().encode(["red hat"]).shape == (1, 32)


def test_a_second_ctrl_c_acts_at_once() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with SignalWatch() as watch:
        assert watch() is None
        os.kill(os.getpid(), signal.SIGINT)
        assert watch() == "SIGINT"
        os.kill(os.getpid(), signal.SIGTERM)
        assert watch() == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


SLOW = """
import time
from nearer.cli.main import main
from nearer.loop.trainer import Trainer

def slow(self, batch):
    print("in the step", flush=True)
    for _ in range(6000):  # a step that takes longer than anybody waits
        time.sleep(0.01)

Trainer.step = slow
main()
"""


def test_a_second_ctrl_c_leaves_in_the_middle_of_a_step(bench: Bench) -> None:
    words = ["fit", *flags(bench.options(name="mine"))]
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "in the step\n"
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert process.poll() is None  # the step is finished first, as far as it knows
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE / 2) == 130
            err = process.stderr.read()
        finally:
            process.kill()
    folder = bench.runs / "default" / "mine"
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    names = {path.name for path in folder.iterdir()}
    assert names == {"log.txt", "losses.json", "metrics.jsonl", "ranks", "run.json"}
    assert err.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in err
    assert "\x1b" not in err
    (line,) = (folder / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["epoch"] == 0


class Fails(nearer.Callback):
    """Raises an error at the end of the first epoch."""

    def on_epoch_end(self, ctx: Any) -> None:
        raise ZeroDivisionError("the callback's own")


class Watches(nearer.Callback):
    """Remembers how the fit ended for it."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_exception(self, ctx: Any, error: BaseException) -> None:
        self.heard.append(f"{type(error).__name__}")

    def on_close(self, ctx: Any) -> None:
        self.heard.append("closed")


def test_an_error_in_a_callback_is_named_and_the_others_are_closed(bench: Bench) -> None:
    watches = Watches()
    with pytest.raises(ZeroDivisionError) as caught:
        nearer.fit(**bench.options(name="mine", callbacks=[Fails(), watches]))
    assert caught.value.__notes__ == ["raised by Fails.on_epoch_end at epoch 1, step 4"]
    assert watches.heard == ["ZeroDivisionError", "closed"]
    run = nearer.get_run("mine")
    assert run.status == "failed"
    assert run.stop_reason is None
    said = "ZeroDivisionError: the callback's own; raised by Fails.on_epoch_end at epoch 1, step 4"
    assert run.record["error"] == said
    assert f"ERROR    Run mine failed: {said}" in run.logs()
    assert len(run.history) == 2
    with pytest.raises(nearer.NearerError, match='run "mine" has no artifact: it is failed'):
        _ = run.artifact
    assert f"error: {said}" in bench.run("runs", "show", "mine").out


def test_an_error_in_a_callback_of_a_spec_ends_the_command_with_its_traceback(
    bench: Bench,
) -> None:
    spec = bench.write("spec.toml", f'[[callbacks]]\nname = "{__name__}:Fails"\n')
    with pytest.raises(ZeroDivisionError):  # exit code 1: the user's own code, so all of it shows
        bench.fit(spec, name="mine")
    assert bench.json("runs", "show", "mine")["status"] == "failed"
    again = bench.run("fit", "--resume", "--name", "mine", "--runs-dir", bench.runs, "--patience=x")
    assert again.code == 2
