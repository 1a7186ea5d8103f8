"""The keeper of a run: when it writes, that it never ends a run, what it waits for."""

import logging

import pytest
from support.toy import KeepsAll, toy_fit

from nearer.errors import NearerError
from nearer.loop.state import Position
from nearer.run import keeper as module
from nearer.run.cadence import Cadence
from nearer.run.checkpoint import all_checkpoints, read_checkpoint
from nearer.run.keeper import Checkpoints
from nearer.run.verify import Verification


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def names(folder):
    return [path.name for path in all_checkpoints(folder)]


def test_by_steps(tmp_path):
    with Checkpoints(tmp_path, Cadence("steps", 3), {"spec": 1}) as keeper:
        toy_fit(keeper=keeper, epochs=4)  # of two steps each
    assert names(tmp_path) == ["0000003", "0000006"]
    read = read_checkpoint(tmp_path / "0000006")
    assert read["facts"]["spec"] == 1
    assert read["facts"]["seconds"] >= 0
    assert read["fit"]["loop"]["step"] == 6


def test_by_time(tmp_path):
    clock = Clock()
    keeper = Checkpoints(tmp_path, Cadence("seconds", 10), {}, clock=clock)
    at = Position(1, 1, 1, 1, ended=False)
    assert not keeper.due(at)
    clock.now = 10.0
    assert keeper.due(at)
    keeper.keep(at, {})
    keeper.wait()
    assert not keeper.due(at)
    clock.now = 20.0
    assert not keeper.due(at)  # it is kept as it stands
    assert keeper.due(Position(1, 2, 2, 1, ended=False))


def test_a_failing_disk_is_a_warning_and_the_fit_goes_on(tmp_path, monkeypatch, caplog):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_checkpoint", full)
    caplog.set_level(logging.WARNING, "nearer")
    with Checkpoints(tmp_path, Cadence("steps", 1), {}) as keeper:
        assert toy_fit(keeper=keeper).epochs_run == 2
    assert "step 4 could not be written: [Errno 28] No space left on device" in caplog.text
    assert "the run goes on" in caplog.text


def test_a_process_that_does_not_write_is_never_due(tmp_path):
    with Checkpoints(tmp_path, Cadence("steps", 1), {}, writes=False) as keeper:
        toy_fit(keeper=keeper)
    assert names(tmp_path) == []


def test_verification_compares_where_the_checkpoint_was_taken(tmp_path, caplog):
    kept = KeepsAll()
    toy_fit(keeper=kept)
    start, later = kept.kept[1], kept.kept[3]
    never = Cadence("never")
    caplog.set_level(logging.INFO, "nearer")
    with Checkpoints(tmp_path, never, {}, verification=Verification(later[1])) as keeper:
        toy_fit(keeper=keeper, resume=start[1])
    assert f"Verified: replayed to step {later[0].step}, every bit is the same" in caplog.text
    other = {**later[1], "model": {k: v + 1e-7 for k, v in later[1]["model"].items()}}
    keeper = Checkpoints(tmp_path, never, {}, verification=Verification(other))
    with pytest.raises(NearerError, match=r"differs from its checkpoint: model/linear"):
        toy_fit(keeper=keeper, resume=start[1])
