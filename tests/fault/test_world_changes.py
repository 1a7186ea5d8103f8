"""What changes under a run's feet: the clock, a picture, another process on the same run."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from support.cli import Bench, flags
from support.tiny import Letters
from support.toy import ToyBatches, toy_encoder, toy_fit

import nearer
from nearer.encoder import sentence
from nearer.errors import DataError
from nearer.run import lock, record

ROWS = [{"query": f"{a} {b}", "document": f"{b} of {a}"} for a in "abc" for b in "defg"]


def test_a_clock_that_jumps_changes_no_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, jumps = time.time, cycle([0.0, -1e8, 3e9, -5e8])
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    monkeypatch.setattr(record, "now", lambda: datetime.fromtimestamp(time.time(), UTC).isoformat())
    run = nearer.fit(
        model=Letters(), train_data=ROWS, epochs=3, batch_size=4, runs_dir=tmp_path, val_split=0.2
    )
    assert run.status == "finished"
    assert 0 <= run.record["seconds"] < 600
    seconds = [point["seconds"] for point in run.history]
    assert seconds == sorted(seconds)
    assert 0 <= seconds[0] <= seconds[-1] < 600
    assert "Finetuning took 0 days, 0 hours" in run.logs()


def test_a_picture_that_is_deleted_in_the_middle_is_named_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "shoe.png"
    with pytest.raises(DataError) as caught:
        sentence._decoded(path)
    assert str(caught.value).startswith(f"{path}: no such file")


class Missing:
    """Prepares pictures of which one is gone; as an encoder, it is `toy_encoder`."""

    def __init__(self, word: str) -> None:
        self.word, self.letters = word, Letters()

    def __call__(self, items: list[str]) -> Any:
        for item in items:
            if item == self.word:
                raise FileNotFoundError(2, "No such file or directory", f"{item}.png")
        return self.letters.prepare(items)


@pytest.mark.parametrize("ahead", [False, True])
def test_an_item_that_cannot_be_prepared_is_named_with_its_row(ahead: bool) -> None:
    train = ToyBatches(7)
    encoder = toy_encoder()
    encoder.prepare_items = Missing(train.pairs[5][1])
    encoder.prepares_ahead = ahead  # type: ignore[attr-defined]
    with pytest.raises(DataError) as caught:
        toy_fit(encoder=encoder, train=train)
    said = str(caught.value)
    assert said.startswith("row 5 (counted from 0, of the rows that are used): ")
    assert f"{train.pairs[5][1]}.png" in said


def test_two_processes_on_one_run(bench: Bench) -> None:
    """The second is refused and names the first; it changes nothing."""
    words = ["fit", *flags(bench.options(epochs=100_000, name="mine"))]
    metrics = bench.runs / "default/mine/metrics.jsonl"
    with subprocess.Popen(
        [sys.executable, "-m", "nearer", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as first:
        try:
            until = time.monotonic() + 60
            while not (metrics.is_file() and metrics.read_text()):
                assert time.monotonic() < until
                assert first.poll() is None
                time.sleep(0.05)
            path = bench.runs / "default/mine/run.json"
            path.write_text(json.dumps({**json.loads(path.read_text()), "status": "failed"}))
            before = path.read_text()
            ran = bench.run("fit", "--resume", "--name", "mine", "--runs-dir", bench.runs)
            assert ran.code == 2
            owner = lock.read(path.parent)
            assert owner is not None
            assert owner["pid"] == first.pid
            assert f"by process {first.pid} on {owner['host']}; wait for it" in ran.err
            assert path.read_text() == before
        finally:
            first.kill()
    again = bench.json(
        "fit", "--resume", "--name", "mine", "--epochs", "1", "--runs-dir", bench.runs
    )
    assert again["status"] == "finished"  # the dead owner's lock was taken over
    assert not (path.parent / lock.FILENAME).exists()
