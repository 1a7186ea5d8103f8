"""Plays the cases of `tests/bad_inputs/cases.toml`: a mistake in, an error text out."""

import contextlib
import io
import os
import sys
import tomllib
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import nearer
from nearer.cli.main import run
from nearer.encoder.catalog import catalog_names
from nearer.evaluation.metrics import METRICS
from nearer.loop.optim import optimizer_names, scheduler_names
from nearer.losses.choose import METRIC_LEARNING, OURS
from support import makers
from support.cli import flags

TABLE = Path(__file__).parents[1] / "bad_inputs" / "cases.toml"
WAYS = ("fit", "spec", "command", "python")


class Sulky(nearer.Callback):
    """A callback of the user's own, named in a spec by `module:Class`."""

    def __init__(self, mood: str = "bad") -> None:
        if mood == "worse":
            raise ValueError("not today")
        self.mood = mood


@dataclass(frozen=True)
class Case:
    """A mistake.

    Attributes:
        name: What is wrong.
        says: The text of the error, exactly. `{metrics}` and the like stand for long lists, `…/`
            for the folder of the case.
        fit: Options of `nearer fit` that differ from those of the task.
        without: Options of the task that are left out.
        spec: A spec file for `nearer fit`.
        command: Another command line; `{model}` is the folder of a tiny model.
        python: An expression in place of a command line.
        files: Text files that are written first.
        make: Functions of `support/makers.py` that write what is no text.
        loads: Whether only the model can tell, so that one is loaded.
        code: The exit code.
        error: The class of the error, where the case is Python.
    """

    name: str
    says: str = ""
    fit: dict[str, Any] | None = None
    without: tuple[str, ...] = ()
    spec: str | None = None
    command: str | None = None
    python: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    make: tuple[str, ...] = ()
    loads: bool = False
    code: int = 2
    error: str | None = None


def read_cases() -> list[tuple[str, Case]]:
    """The cases of the table, each with the heading that it stands under."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    found = []
    for heading, cases in table.items():
        for values in cases:
            values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            found.append((heading, Case(**values)))
    return found


@dataclass(frozen=True)
class Said:
    """What came of a case."""

    says: str
    code: int
    error: str | None
    out: str
    left: tuple[str, ...]


def play(case: Case, folder: Path, model: Path, files: Mapping[str, str]) -> Said:
    """Make the mistake in a folder that holds the files of the task."""
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    made = {name: getattr(makers, name)(folder, model) for name in case.make}
    out, err = io.StringIO(), io.StringIO()
    error = None
    with contextlib.chdir(folder), contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        stack.enter_context(mock.patch.dict(os.environ, {"COLUMNS": "200"}))
        if not case.loads:
            stack.enter_context(_no_model())
        try:
            if case.python is not None:
                _evaluate(case, folder, model, files, made)
                code, says = 0, ""
            else:
                code = run(_words(case, folder, model, files))
                says = err.getvalue().partition("error: ")[2].removesuffix("\n")
        except nearer.NearerError as found:
            code, says, error = found.exit_code, str(found), type(found).__name__
        except Exception as found:  # a defect, which the table must not hold
            traceback.print_exc(file=sys.__stderr__)
            code, says, error = 1, str(found), f"DEFECT {type(found).__name__}"
    left = tuple(sorted(p.name for p in folder.glob("runs/*/*") if p.name != "mine"))
    says = shortened(says.replace(str(model), "MODEL"), folder)
    return Said(says, code, error, out.getvalue(), left)


def _words(case: Case, folder: Path, model: Path, files: Mapping[str, str]) -> list[str]:
    if case.command is not None:
        return [w.replace("{model}", str(model)) for w in case.command.split(" ")]
    options: dict[str, Any] = {"model": model, **files, "runs_dir": folder / "runs", "epochs": 2}
    options |= {"batch_size": 8, "limit": 10}
    words = ["fit"]
    if case.spec is not None:
        (folder / "spec.toml").write_text(case.spec, encoding="utf-8")
        words.append("spec.toml")
        del options["epochs"]
    changed = {k: tuple(v) if isinstance(v, list) else v for k, v in (case.fit or {}).items()}
    options |= changed
    return words + flags({k: v for k, v in options.items() if k not in case.without})


def _evaluate(
    case: Case, folder: Path, model: Path, files: Mapping[str, str], made: Mapping[str, Any]
) -> None:
    def fit(**changed: Any) -> Any:
        options = {"model": str(model), **files, "runs_dir": folder / "runs", "epochs": 1}
        options = {**options, "batch_size": 8, "limit": 10, **changed}
        return nearer.fit(**{k: v for k, v in options.items() if v is not None})

    known = {"nearer": nearer, "np": np, "Path": Path, "folder": folder, "model": str(model)}
    assert case.python is not None
    eval(case.python, {**known, "fit": fit, **files, **made})


@contextlib.contextmanager
def _no_model() -> Iterator[None]:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a model was loaded")

    # In this order: the second one is imported here, and must not get to know the first refusal.
    with (
        mock.patch("nearer.artifact.store.load_sentence_transformer", refuse),
        mock.patch("nearer.encoder.loading.load_sentence_transformer", refuse),
    ):
        yield


def shortened(text: str, folder: Path) -> str:
    """A text with placeholders for what differs from machine to machine, or is long."""
    text = text.replace(f"{folder}/", "…/").replace(str(folder), "…")
    for name, value in sorted(lists().items(), key=lambda item: -len(item[1])):
        text = text.replace(value, f"{{{name}}}")
    return text


def lists() -> dict[str, str]:
    """The lists that messages hold, by placeholder."""
    from nearer.run.registry import callback_names

    return {
        "metrics": ", ".join(sorted(METRICS)),
        "catalog": ", ".join(catalog_names()),
        "optimizers": ", ".join(optimizer_names()),
        "schedulers": ", ".join(scheduler_names()),
        "our losses": ", ".join(OURS),
        "losses of labels": ", ".join(METRIC_LEARNING),
        "callbacks": ", ".join(callback_names()),
    }
