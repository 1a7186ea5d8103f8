import json
import os
import socket
from pathlib import Path

import pytest
from support.written import finished, written_run

from nearer.errors import UsageError
from nearer.run import stopping
from nearer.run.handle import Run
from nearer.run.lock import process
from nearer.run.record import RunFolder
from nearer.run.stopping import Requests, forget

VALUES = [[0.25, 0.5, 1.0]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that this process is at work on."""
    made = written_run(tmp_path, "mine", VALUES, status="running", process=process())
    (made.folder / "lock").write_text(json.dumps(process()))
    return made


def test_the_first_who_asks_is_named_to_the_run_and_to_those_who_ask_later(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping.getpass, "getuser", lambda: "ann")
    requests = Requests(run.folder)
    assert requests() is None
    assert run.stop() is None
    monkeypatch.setattr(stopping.getpass, "getuser", lambda: "bob")
    assert (run.stop() or "").startswith(f"ann@{socket.gethostname()}, ")
    assert requests() is None  # it has looked just now
    monkeypatch.setattr(stopping, "EVERY", 0)
    assert Requests(run.folder)() == f"a stop asked for by ann@{socket.gethostname()}"


def test_a_file_made_by_hand_is_a_request_too(run: Run) -> None:
    (run.folder / "stop").touch()
    assert Requests(run.folder)() == "a stop asked for by somebody"
    assert run.stop() == "somebody"
    forget(run.folder)
    assert Requests(run.folder)() is None


def test_a_user_without_a_name_may_ask(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def getuser() -> str:
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr(stopping.getpass, "getuser", getuser)
    assert run.stop() is None
    assert (run.stop() or "").startswith("somebody@")


def test_a_run_that_has_ended_cannot_be_stopped(tmp_path: Path) -> None:
    run = written_run(tmp_path, "done", VALUES, **finished(VALUES, 0))
    with pytest.raises(UsageError, match=r'run "done" has ended: it is finished; nothing'):
        run.stop()
    assert not (run.folder / "stop").exists()


def test_a_dead_run_cannot_be_stopped_and_the_way_on_is_told(run: Run) -> None:
    (run.folder / "lock").unlink()
    with pytest.raises(UsageError) as caught:
        run.stop()
    said = str(caught.value)
    assert f'run "mine" is dead: process {os.getpid()} on {socket.gethostname()} is gone' in said
    assert "Go on with it: nearer runs resume mine --experiment shoes --runs-dir" in said


def test_a_folder_that_cannot_be_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_text(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(stopping, "write_text", write_text)
    with pytest.raises(UsageError, match=rf"end process {os.getpid()} on .* with SIGTERM"):
        run.stop()


def test_wait_until_the_process_has_let_go(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run.wait(0) == "running"
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if run.status == "running":
            RunFolder(run.folder).update(status="finished")
        else:  # the report is written, too
            (run.folder / "lock").unlink()

    monkeypatch.setattr(stopping.time, "sleep", sleep)
    assert run.wait() == "finished"
    assert slept == [0.5, 0.5]
