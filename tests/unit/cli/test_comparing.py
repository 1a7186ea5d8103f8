import webbrowser
from pathlib import Path

import pytest
from support.written import finished, written_run

from nearer.cli.main import run as cli

VALUES = [[0.25, 0.5, 1.0], [1.0, 0.5, 0.75]]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        written_run(tmp_path, name, VALUES, **finished(VALUES, 1))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "page"),
    [
        (["report", "one"], "one/report.html"),
        (["compare", "one", "two", "--report"], "two/compare-shoes-one-after-after.html"),
        (["compare", "one", "--epochs", "0,1", "--report"], "one/compare-0-1.html"),
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
