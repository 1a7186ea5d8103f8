import io

import pytest

from nearer.cli import main
from nearer.cli.fit import ONLY_PYTHON, FitOptions
from nearer.cli.main import COMMANDS, run
from nearer.cli.output import Faults, print_metrics, print_table
from nearer.errors import Interrupted, NearerError, SpecError
from nearer.run.pairs import numbers
from nearer.run.spec import RunSpec


def test_a_table_has_columns_and_no_blanks_at_the_end() -> None:
    out = io.StringIO()
    print_table([("name", "value"), ("a", "1"), ("longer", "")], out)
    assert out.getvalue() == "name    value\na       1\nlonger\n"


def test_metrics_before_and_after() -> None:
    out = io.StringIO()
    print_metrics({"before": {"a": 0.5, "gone": 0.0}, "after": {"a": 1, "new": 0.123456}}, out)
    assert out.getvalue() == (
        "metric  before   after\n"
        "a       0.50000  1.00000\n"
        "gone    0.00000  -\n"
        "new     -        0.12346\n"
    )


def test_no_metrics_no_table() -> None:
    out = io.StringIO()
    print_metrics({"before": {}, "after": {}}, out)
    assert out.getvalue() == ""


def test_faults_come_together() -> None:
    faults = Faults()
    faults.report()
    assert faults.read("cutoffs", numbers, "1,2") == (1, 2)
    assert faults.read("cutoffs", numbers, "x") is None
    faults.add("limit: 0; must be at least 1")
    with pytest.raises(SpecError) as caught:
        faults.report()
    assert caught.value.faults == (
        "cutoffs: 'x'; must be whole numbers such as 1,10",
        "limit: 0; must be at least 1",
    )


def test_the_command_line_takes_every_option_of_a_run() -> None:
    names = set(FitOptions.__dataclass_fields__)
    assert names == set(RunSpec.model_fields) - set(ONLY_PYTHON)


def test_every_command_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, (_, text) in COMMANDS.items():
        assert name in shown
        assert " ".join(text.split()[:3]) in shown
    for name in ("fit", "evaluate", "encode", "runs", "models", "loop"):
        assert run([name, "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: nearer {name}")


def test_the_options_of_fit_are_described_as_in_the_spec(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(["fit", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name, field in RunSpec.model_fields.items():
        if name in ONLY_PYTHON:
            continue
        assert f"--{name.replace('_', '-')}" in shown
        assert " ".join((field.description or "").split()[:3]) in shown


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (NearerError("broken"), 1, "error: broken\n"),
        (SpecError(["a: 1; must be 2"]), 2, "error: a: 1; must be 2\n"),
        (SpecError(["a", "b"]), 2, "error: 2 faults:\n  - a\n  - b\n"),
        (Interrupted("SIGINT"), 130, "error: interrupted by SIGINT\n"),
        (Interrupted("SIGTERM"), 143, "error: interrupted by SIGTERM\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
    ],
)
def test_errors_become_exit_codes(
    error: BaseException,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(main, "make_app", lambda: fail)
    assert run(["fit"]) == code
    assert capsys.readouterr() == ("", says)


def test_notes_of_an_error_are_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = NearerError("broken")
    error.add_note("raised by Mine.on_close at epoch 1, step 2")

    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(main, "make_app", lambda: fail)
    assert run(["fit"]) == 1
    assert capsys.readouterr().err == (
        "error: broken\n  raised by Mine.on_close at epoch 1, step 2\n"
    )


def test_an_error_that_is_not_ours_is_a_bug_and_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(main, "make_app", lambda: fail)
    with pytest.raises(ZeroDivisionError):
        run(["fit"])
