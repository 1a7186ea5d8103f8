"""The files in a run's ranks/: how they are called, which there are, what they say."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.feather as feather

from nearer.errors import NearerError, UnknownName, UsageError, did_you_mean

if TYPE_CHECKING:
    from nearer.run.handle import Run

FACTS = b"nearer"
"""Key of what a file says of itself, in its schema."""

Point = int | str
"""An epoch (its last evaluation), "before", "after", or "step150"."""


@dataclass(frozen=True)
class Ranks:
    """The ranking of every query by one evaluation at one point.

    Attributes:
        path: The file.
        evaluation: Name of the evaluation, the prefix of its metrics.
        epoch: The epoch that the point lies in; 0 is the model as it came.
        step: Optimizer steps taken before it.
    """

    path: Path
    evaluation: str
    epoch: int
    step: int

    def facts(self) -> dict[str, Any]:
        """What the recorder said of it: limit, definitions, metrics with directions, data."""
        with self._open() as file:
            metadata = file.schema.metadata or {}
        facts: dict[str, Any] = json.loads(metadata.get(FACTS, b"{}"))
        return facts

    def read(self, *columns: str) -> pa.Table:
        """Read some columns; the whole table if none is named."""
        try:
            return feather.read_table(str(self.path), columns=list(columns) or None)
        except (OSError, pa.ArrowInvalid) as error:
            raise self._damaged(error) from error

    def columns(self) -> list[str]:
        """Names of the columns; reads no rows."""
        with self._open() as file:
            return list(file.schema.names)

    def _open(self) -> Any:
        try:
            return pa.ipc.open_file(pa.memory_map(str(self.path)))
        except (OSError, pa.ArrowInvalid) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> NearerError:
        return NearerError(f"{self.path} cannot be read: {error}")


def ranks_file(evaluation: str, epoch: int, step: int) -> str:
    """Name of the file of one evaluation at one point.

    Example:
        >>> ranks_file("a/b", 2, 150)
        'a%2Fb.epoch002.step0000150.arrow'
    """
    return f"{quote(evaluation, safe='')}.epoch{epoch:03}.step{step:07}.arrow"


def all_ranks(folder: Path) -> list[Ranks]:
    """All files of ranks in a folder, by evaluation and then in the order of the fit."""
    found = []
    for path in folder.glob("*.arrow"):
        name = re.fullmatch(r"(.+)\.epoch(\d+)\.step(\d+)\.arrow", path.name)
        if name:
            found.append(Ranks(path, unquote(name[1]), int(name[2]), int(name[3])))
    return sorted(found, key=lambda r: (r.evaluation, r.step, r.epoch))


def find_ranks(run: "Run", point: Point, evaluation: str | None = None) -> Ranks:
    """The ranking of a run's evaluation at a point.

    Args:
        run: The run.
        point: See `nearer.compare`.
        evaluation: Name of the evaluation; default: the first of the run.

    Raises:
        UnknownName: No such evaluation or point; says which there are.
        UsageError: The run kept no ranks.
    """
    name = name_of_evaluation(run, evaluation)
    files = ranks_of(run, name)
    found = _at(files, point, run.record.get("kept"))
    if found is None:
        said = f'"{point}"' if isinstance(point, str) else str(point)
        raise UnknownName(
            f'run "{run.name}" was not evaluated at epoch {said} by "{name}"; it was at '
            f'{_points(files)}; "before" and "after" are epoch 0 and what the run kept'
        )
    return found


def ranks_of(run: "Run", evaluation: str) -> list[Ranks]:
    """The rankings of one evaluation of a run, in the order of the fit."""
    return [ranks for ranks in all_ranks(run.folder / "ranks") if ranks.evaluation == evaluation]


def name_of_evaluation(run: "Run", evaluation: str | None) -> str:
    """The evaluation that is meant: the one that is named, or the first of the run.

    Raises:
        UnknownName: There is none of that name.
        UsageError: The run kept no ranks.
    """
    names = run.evaluations
    if not names:
        raise UsageError(
            f'run "{run.name}" has no ranks: it has no evaluation, or was not evaluated yet'
        )
    name = names[0] if evaluation is None else evaluation
    if name not in names:
        raise UnknownName(
            f'run "{run.name}" has no evaluation "{name}"; it has {", ".join(names)}.'
            + did_you_mean(name, names)
        )
    return name


def _at(files: list[Ranks], point: Point, kept: Mapping[str, int] | None) -> Ranks | None:
    if point == "before":
        matching = [f for f in files if f.epoch == 0]
    elif point == "after":  # while nothing is kept yet: the last one so far
        at = None if kept is None else (kept["epoch"], kept["step"])
        matching = [f for f in files if at is None or at == (f.epoch, f.step)]
    elif isinstance(point, str):
        matching = [f for f in files if point == f"step{f.step}"]
    else:
        matching = [f for f in files if f.epoch == point]
    return matching[-1] if matching else None


def _points(files: list[Ranks]) -> str:
    """The points there are: epochs, and steps where an epoch has several."""
    epochs = [f.epoch for f in files]
    several = len(set(epochs)) < len(epochs)
    return ", ".join(f"{f.epoch} (step{f.step})" if several else f"{f.epoch}" for f in files)
