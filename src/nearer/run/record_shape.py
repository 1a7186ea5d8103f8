"""What run.json and metrics.jsonl must look like to be used; opens no files and writes none."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nearer.errors import NearerError
from nearer.loop.state import StopKind

WAY_OUT = "mend it, or delete the folder of the run"
STATUSES = ("created", "running", "finished", "failed", "interrupted")
"""What a process writes; that it died is seen, not written."""


def check_record(values: Any, path: Path) -> dict[str, Any]:
    """Hold that what was read is the record of a run.

    Args:
        values: What run.json holds.
        path: The file, for the message.

    Raises:
        NearerError: It is none; names the first value that is wrong.
    """
    if not isinstance(values, dict) or "status" not in values:
        raise NearerError(f"{path} is not the record of a run; {WAY_OUT}")
    for name, fits in _SHAPES.items():
        if not fits(values.get(name)):
            raise NearerError(f'{path} has no proper value for "{name}"; {WAY_OUT}')
    checked: dict[str, Any] = {"stop_reason": None, **values}
    return checked


def read_points(text: str, path: Path) -> list[dict[str, Any]]:
    """The evaluation points of metrics.jsonl; a last line without its end is passed over.

    Raises:
        NearerError: A line is none; names it.
    """
    points = []
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            point = json.loads(line)
        except (ValueError, RecursionError):
            point = None
        if not isinstance(point, dict) or not _is_point(point):
            raise NearerError(f"{path}, line {number}: no evaluation point; {WAY_OUT}")
        points.append(point)
    return points


def _is_point(values: Mapping[str, Any]) -> bool:
    return all(isinstance(values.get(name), int) for name in ("epoch", "step")) and isinstance(
        values.get("metrics"), dict
    )


def _is_reason(value: Any) -> bool:
    if value is None:
        return True
    kinds = [str(kind) for kind in StopKind]
    return (
        isinstance(value, dict)
        and value.get("kind") in kinds
        and isinstance(value.get("detail"), str)
    )


def _is_figures(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict)
        and all(isinstance(value.get(name), dict) for name in ("before", "after"))
    )


def _is_kept(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict)
        and all(isinstance(value.get(name), int) for name in ("epoch", "step"))
    )


_SHAPES: dict[str, Callable[[Any], bool]] = {
    "status": lambda value: value in STATUSES,
    "stop_reason": _is_reason,
    "created": lambda value: isinstance(value, str),
    "spec": lambda value: isinstance(value, dict),
    "process": lambda value: isinstance(value, dict),
    "metrics": _is_figures,
    "kept": _is_kept,
    "data": lambda value: value is None or isinstance(value, dict),
}
