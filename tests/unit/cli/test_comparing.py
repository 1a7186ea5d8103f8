import json
import webbrowser
from pathlib import Path

import pytest
from support.written import finished, written_run

from nearer.cli.main import run as cli

VALUES = [[0.25, 0.5, 1.0], [1.0, 0.5, 0.75]]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("one", "two", "three"):
        spec = {"model": "m", "loss": "InfoNCE"} | ({"batch_size": 8} if name == "three" else {})
        written_run(tmp_path, name, VALUES, spec=spec, **finished(VALUES, 1))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "page"),
    [
        (["report", "one"], "one/report.html"),
        (["compare", "one", "two", "--report"], "two/compare-shoes-one-after-after.html"),
        (["compare", "one", "--epochs", "0,1", "--report"], "one/compare-0-1.html"),
        (
            ["compare", "one", "two", "three", "--report"],
            "three/compare-shoes-one-shoes-two-after-after.html",
        ),
    ],
)
def test_the_path_is_printed_and_the_page_opened(
    words: list[str],
    page: str,
    runs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert cli(["runs", *words, "--runs-dir", str(runs)]) == 0
    path = runs / "shoes" / page
    assert capsys.readouterr().out == f"{path}\n"
    assert path.is_file()
    assert not opened
    assert cli(["runs", *words, "--open", "--runs-dir", str(runs)]) == 0
    assert opened == [path.as_uri()]


def test_several_runs_in_a_table(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--runs-dir", str(runs)]
    assert cli(["runs", "compare", "one", "two", "three", "--epochs", "0,1", *where]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "toy_ndcg_at_k, each run against the first".split()
    assert lines[1] == "run value difference interval won lost tied".split()
    assert lines[2] == "one epoch 0 0.58333".split()
    assert lines[3][:5] == "two epoch 1 0.75000 +0.16667".split()
    assert lines[3][-3:] == ["1", "1", "1"]
    assert lines[4][0] == "three"
    assert lines[-2:] == ["option one two three".split(), "batch_size default default 8".split()]


def test_several_runs_as_json(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--runs-dir", str(runs), "--json"]
    assert cli(["runs", "compare", "one", "two", "three", *where]) == 0
    both = json.loads(capsys.readouterr().out)["comparisons"]
    for name, found in zip(("two", "three"), both, strict=True):
        assert cli(["runs", "compare", "one", name, *where]) == 0
        assert json.loads(capsys.readouterr().out) == found
