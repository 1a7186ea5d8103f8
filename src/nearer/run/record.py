"""run.json and the other files of a run's folder: where they are, how they are read and written."""

import contextlib
import glob
import json
import math
import os
import platform
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from nearer.artifact.atomic import write_text
from nearer.errors import NearerError, RunExists, RunNotFound, UsageError, did_you_mean
from nearer.run import lock
from nearer.run.names import cannot_name
from nearer.run.record_shape import WAY_OUT, check_record

Status = Literal["created", "running", "finished", "failed", "interrupted", "dead"]
PACKAGES = (
    "nearer", "torch", "sentence-transformers", "transformers", "accelerate", "numpy", "pyarrow",
)  # fmt: skip
FORMAT = 1


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run, and the names of what lies in it."""

    path: Path

    @property
    def record(self) -> Path:
        """run.json."""
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        """One line for each evaluation point."""
        return self.path / "metrics.jsonl"

    @property
    def losses(self) -> Path:
        """The training loss from step to step."""
        return self.path / "losses.json"

    @property
    def log(self) -> Path:
        """What the console said."""
        return self.path / "log.txt"

    @property
    def ranks(self) -> Path:
        """Per-query ranks of each evaluation point."""
        return self.path / "ranks"

    @property
    def artifact(self) -> Path:
        """The model."""
        return self.path / "artifact"

    @property
    def checkpoints(self) -> Path:
        """All that a resume needs; gone once the run is finished."""
        return self.path / "checkpoint"

    def read(self) -> dict[str, Any]:
        """Read run.json; a process that died while running shows as "dead".

        Raises:
            RunNotFound: There is no run here.
            NearerError: run.json is not readable.
        """
        try:
            values: Any = json.loads(self.record.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunNotFound(f"no run in {self.path}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise NearerError(f"{self.record} cannot be read: {error}; {WAY_OUT}") from error
        record = check_record(values, self.record)
        at_work = record["status"] in ("created", "running")
        if at_work and not lock.works(record["process"], self.path):
            record["status"] = "dead"
            with contextlib.suppress(OSError, ValueError):  # it may have ended just now
                later = json.loads(self.record.read_text(encoding="utf-8"))
                if later["status"] not in ("created", "running"):
                    return check_record(later, self.record)
        return record

    def write(self, values: dict[str, Any]) -> None:
        """Replace run.json, whole."""
        said = json.dumps(values, indent=2, ensure_ascii=False)
        try:
            said.encode("utf-8")
        except UnicodeEncodeError:  # a file's name that is not UTF-8
            said = json.dumps(values, indent=2)
        write_text(self.record, said + "\n")

    def update(self, **values: Any) -> None:
        """Change some of run.json."""
        current = json.loads(self.record.read_text(encoding="utf-8"))
        self.write(current | values)

    def remove(self) -> None:
        """Remove the folder, and that of its experiment if nothing else is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()


class Elsewhere(RunFolder):
    """A run's folder as all processes but the first have it: they write nothing there."""

    def write(self, values: dict[str, Any]) -> None:
        """Leave it to the first process."""

    def update(self, **values: Any) -> None:
        """Leave it to the first process."""

    def remove(self) -> None:
        """Leave it to the first process."""


def create(runs: Path, experiment: str, name: str, spec: dict[str, Any]) -> RunFolder:
    """Make the folder of a run with its record in it, status "created"; this process holds it.

    Raises:
        RunExists: The name is taken.
        UsageError: The folder cannot be written.
    """
    folder = RunFolder(runs / experiment / name)
    # Beside, with the record in it, so that a process that dies here takes no name.
    begun = RunFolder(folder.path.with_name(f".{name}.{uuid.uuid4().hex[:8]}.tmp"))
    try:
        if not folder.path.parent.is_dir():
            folder.path.parent.mkdir(parents=True)
        begun.path.mkdir()
        lock.take(begun.path)
        begun.write(fresh_record(experiment, name, spec))
        begun.path.rename(folder.path)
        lock.moved(begun.path, folder.path)
    except OSError as error:
        lock.release(begun.path)
        shutil.rmtree(begun.path, ignore_errors=True)
        if not folder.path.exists():  # nothing can be written, or a file stands in the way
            raise _cannot_write(runs, error) from error
        raise RunExists(
            f'run "{name}" exists in experiment "{experiment}" ({folder.path}); '
            "choose another name, or go on with it: resume"
        ) from None
    return folder


def _cannot_write(runs: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write to {runs}: {error.strerror or error}; choose another runs_dir")


def fresh_record(experiment: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The record of a run that is about to begin."""
    return {
        "format": FORMAT,
        "name": name,
        "experiment": experiment,
        "status": "created",
        "stop_reason": None,
        "created": now(),
        "spec": spec,
        "environment": environment(),
        "process": lock.process(),
    }


def find(runs: Path, name: str, experiment: str | None = None) -> RunFolder:
    """Find a run by its name; the experiment is needed only where two have it.

    Raises:
        RunNotFound: There is none, or more than one; says what there is.
    """
    folders = [f for f in all_runs(runs, experiment) if f.path.name == name]
    if len(folders) == 1:
        return folders[0]
    if folders:
        where = ", ".join(f.path.parent.name for f in folders)
        raise RunNotFound(f'"{name}" is a run of several experiments: {where}; say which')
    names = [f.path.name for f in all_runs(runs, experiment)]
    place = f'experiment "{experiment}" of {runs}' if experiment else str(runs)
    raise RunNotFound(f'no run "{name}" in {place}.{did_you_mean(name, names)}')


def all_runs(runs: Path, experiment: str | None = None) -> list[RunFolder]:
    """All runs, by experiment and name.

    Raises:
        UsageError: The experiment can't be the name of a folder.
    """
    if experiment and (why := cannot_name(experiment)):
        raise UsageError(f"experiment: {why}")
    pattern = glob.escape(experiment) if experiment else "*"
    records = sorted(runs.glob(f"{pattern}/*/run.json"))
    return [RunFolder(p.parent) for p in records if not p.parent.name.startswith(".")]


def plain_metrics(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Metrics as JSON can hold them: NaN and infinities become null."""
    return {name: v if math.isfinite(v) else None for name, v in metrics.items()}


def plain_value(value: Any) -> str:
    """A value of a record as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def environment() -> dict[str, Any]:
    """Versions and machine, for whoever wants to reproduce a run."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "versions": versions,
    }


def now() -> str:
    """The time in UTC, ISO form, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
