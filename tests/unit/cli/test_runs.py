import io
import json
import sys
from pathlib import Path

import pytest
from support.written import finished, written_run

from nearer.cli.main import run as cli

VALUES = [[0.25, 0.5, 1.0], [1.0, 0.5, 0.75]]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs: two are finished, the newer one longer; one failed."""
    for name, created, seconds in (("old", "2026-01-01", 5.0), ("new", "2026-03-01", 50.0)):
        record = {**finished(VALUES, 1), "created": created, "seconds": seconds}
        written_run(tmp_path, name, VALUES, **record)
    written_run(tmp_path, "bad", [], status="failed", created="2026-02-01", error="no")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["bad", "new", "old"]),
        (["--sort", "created"], ["new", "bad", "old"]),
        (["--sort", "seconds"], ["new", "old", "bad"]),
        (["--sort", "status"], ["bad", "new", "old"]),
        (["--status", "finished"], ["new", "old"]),
        (["--status", "dead"], []),
        (["--experiment", "hats"], []),
    ],
)
def test_list(
    words: list[str], expected: list[str], runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["runs", "list", *words, "--runs-dir", str(runs), "--json"]) == 0
    assert [row["run"] for row in json.loads(capsys.readouterr().out)["runs"]] == expected


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--status", "finishd"], 'Did you mean "finished"?'),
        (["--sort", "time"], "sort: 'time'; must be one of name, created, seconds, status."),
    ],
)
def test_list_refuses(
    words: list[str], says: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["runs", "list", *words, "--runs-dir", str(runs)]) == 2
    assert says in capsys.readouterr().err


def test_show_ends_with_what_to_do_next(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["runs", "show", "new", "--runs-dir", str(runs)]) == 0
    rest = f"new --runs-dir {runs}"
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "Next:",
        f"  nearer runs compare {rest}",
        f"  nearer runs examples {rest}",
        f"  nearer runs report {rest}",
    ]
    assert cli(["runs", "show", "bad", "--runs-dir", str(runs)]) == 0
    assert f"  nearer runs resume bad --runs-dir {runs}\n" in capsys.readouterr().out


class Terminal:
    """Standard input where somebody answers."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self.answer


@pytest.mark.parametrize(("answer", "gone"), [("y\n", True), ("n\n", False), ("", False)])
def test_delete_asks(answer: str, gone: bool, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert cli(["runs", "delete", "new", "--runs-dir", str(runs)]) == 0
    assert (runs / "shoes" / "new").exists() is not gone
    assert (runs / "shoes" / "old" / "run.json").is_file()


def test_delete_where_nobody_can_be_asked(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert cli(["runs", "delete", "new", "--runs-dir", str(runs)]) == 2
    assert "add --yes" in capsys.readouterr().err
    assert cli(["runs", "delete", "new", "--yes", "--runs-dir", str(runs)]) == 0
    assert not (runs / "shoes" / "new").exists()


def test_delete_of_a_name_that_two_experiments_have(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = written_run(runs, "new", VALUES, experiment="hats")
    assert cli(["runs", "delete", "new", "--yes", "--runs-dir", str(runs)]) == 2
    assert "is a run of several experiments" in capsys.readouterr().err
    words = ["--experiment", "shoes", "--runs-dir", str(runs)]
    assert cli(["runs", "delete", "new", "--yes", *words]) == 0
    assert other.folder.is_dir()
    assert not (runs / "shoes" / "new").exists()
