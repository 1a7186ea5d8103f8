import json
from pathlib import Path

import pytest
from support.written import finished, written_run

from nearer.cli.main import run as cli
from nearer.run.lock import process
from nearer.run.record import RunFolder

VALUES = [[0.25, 0.5, 1.0], [1.0, 0.5, 0.75]]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """One run that this process is at work on, and one that is finished."""
    written_run(tmp_path, "done", VALUES, **finished(VALUES, 1))
    made = written_run(tmp_path, "mine", VALUES, status="running", process=process())
    (made.folder / "lock").write_text(json.dumps(process()))
    return tmp_path


def test_logs_are_followed_to_the_end(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(runs / "shoes" / "mine")
    folder.log.write_text("one\n")

    def later(seconds: float) -> None:
        if folder.read()["status"] == "running":
            folder.update(status="finished")  # but its process has more to say
        else:
            folder.log.write_text("one\ntwo\n")
            (folder.path / "lock").unlink()

    monkeypatch.setattr("nearer.cli.working.time.sleep", later)
    assert cli(["runs", "logs", "mine", "--follow", "--runs-dir", str(runs)]) == 0
    assert capsys.readouterr().out == "one\ntwo\n"


def test_logs_of_a_run_that_is_killed_end_too(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(runs / "shoes" / "mine")
    folder.log.write_text("one\n")
    monkeypatch.setattr(
        "nearer.cli.working.time.sleep", lambda seconds: (folder.path / "lock").unlink()
    )
    assert cli(["runs", "logs", "mine", "--follow", "--runs-dir", str(runs)]) == 0
    assert capsys.readouterr().out == "one\n"


def test_stop_says_what_comes_of_it(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(["runs", "stop", "mine", "--runs-dir", str(runs)]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == 'run "mine" was asked to stop; it ends after its step\n'

    def ended(seconds: float) -> None:
        RunFolder(runs / "shoes" / "mine").update(status="interrupted")
        (runs / "shoes" / "mine" / "lock").unlink()

    monkeypatch.setattr("nearer.run.stopping.time.sleep", ended)
    assert cli(["runs", "stop", "mine", "--wait", "--runs-dir", str(runs)]) == 0
    told = capsys.readouterr()
    assert told.out == "interrupted\n"
    assert 'run "mine" was asked to stop already, by ' in told.err


@pytest.mark.parametrize(
    ("name", "says"),
    [("done", "it is finished; nothing to stop"), ("mien", 'Did you mean "mine"?')],
)
def test_stop_of_what_does_not_run(
    name: str, says: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["runs", "stop", name, "--runs-dir", str(runs)]) == 2
    assert says in capsys.readouterr().err
