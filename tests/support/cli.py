"""Drives the command line in this process: arguments in, exit code and both streams out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nearer.cli.main import run


@dataclass(frozen=True)
class Ran:
    """What one command line gave."""

    code: int
    out: str
    err: str


def flags(options: Mapping[str, Any]) -> list[str]:
    """Options as they are written on a command line; None leaves one out, True has no value."""
    words: list[str] = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(str(value))
    return words


@dataclass
class Bench:
    """A folder with a small search task in it, and the command line to work on it.

    `fit` and `evaluate` begin with all options of the task; what is given overrides them, and None
    leaves one out. The runs folder is `runs` in the folder.
    """

    folder: Path
    model: Path
    files: dict[str, str]
    capsys: pytest.CaptureFixture[str]
    defaults: dict[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def write(self, name: str, text: str) -> str:
        """Write a file and return its path."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def options(self, **changed: Any) -> dict[str, Any]:
        """All options of a small fit; at the precision at which results are compared."""
        own = {"model": self.model, **self.files, "runs_dir": self.runs, "epochs": 2}
        own["precision"] = "fp32"  # "auto" is bf16 on some machines
        return {**own, "batch_size": 8, "limit": 10, **self.defaults, **changed}

    def run(self, *words: object) -> Ran:
        """Run one command line."""
        self.capsys.readouterr()
        code = run([str(word) for word in words])
        streams = self.capsys.readouterr()
        return Ran(code, streams.out, streams.err)

    def json(self, *words: object) -> dict[str, Any]:
        """Run one that must succeed and print one JSON object, and nothing else, on stdout."""
        ran = self.run(*words, "--json")
        assert ran.code == 0, ran.err
        assert len(ran.out.splitlines()) == 1
        values = json.loads(ran.out)
        assert isinstance(values, dict)
        return values

    def fit(self, *words: object, **changed: Any) -> Ran:
        """`nearer fit` with the task's options."""
        return self.run("fit", *words, *flags(self.options(**changed)))

    def fit_json(self, *words: object, **changed: Any) -> dict[str, Any]:
        """`nearer fit --json` with the task's options."""
        return self.json("fit", *words, *flags(self.options(**changed)))

    def evaluate_json(self, model: object, **changed: Any) -> dict[str, Any]:
        """`nearer evaluate --json` with the task's data."""
        data = {name: self.files[name] for name in ("query_data", "index_data", "qrels")}
        return self.json("evaluate", model, *flags({**data, "limit": 10, **changed}))
