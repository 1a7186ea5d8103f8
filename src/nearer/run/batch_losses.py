"""BatchLosses: a callback that keeps the loss from step to step, in a file that stays small."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nearer.artifact.atomic import write_text
from nearer.callbacks.spare import Spare
from nearer.loop.callback import Callback
from nearer.loop.context import Context

MOST = 400
"""Points that are kept at most; beyond, each two become one."""

LARGE = 1 << 53
"""What no count and no loss of a fit reaches; also refuses NaN and infinities."""

COUNTS = ("step", "epoch", "rows")


@dataclass(frozen=True)
class Stretch:
    """The mean loss over some steps.

    Attributes:
        step: The last of them.
        epoch: That it belongs to.
        loss: Mean over their rows.
        rows: How many those are.
        learning_rate: Of the first parameter group, for the step after.
    """

    step: int
    epoch: int
    loss: float
    rows: int
    learning_rate: float


class BatchLosses(Callback):
    """Keep the training loss from step to step.

    A point is the mean over `every` steps. `every` is 1 until there are 400 points; then each two
    become one, and `every` doubles. So a fit of any length leaves between 200 and 400 points, and
    which ones does not depend on how many steps were planned or on where it was resumed. Batches
    without a finite loss are left out.

    Args:
        path: The file; it is replaced, whole, at each evaluation point and at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._spare = Spare("losses of the batches")
        self._every, self._points, self._open = 1, list[Stretch](), list[Stretch]()

    def on_fit_begin(self, ctx: Context) -> None:
        """Begin with no points, and with no file of an attempt before."""
        self._every, self._points, self._open = 1, [], []
        with self._spare.attempt():
            self.path.unlink(missing_ok=True)

    def on_train_batch_end(self, ctx: Context) -> None:
        """Count the batch in; a stretch that is full becomes a point."""
        if ctx.batch_loss is not None and math.isfinite(ctx.batch_loss):
            rate = ctx.learning_rates[0]
            self._open.append(Stretch(ctx.step, ctx.epoch, ctx.batch_loss, ctx.batch_rows, rate))
        if ctx.step % self._every == 0:
            self._close_stretch()

    def on_metrics(self, ctx: Context) -> None:
        """Write what there is; a stretch that is open stays open."""
        self._write()

    def on_close(self, ctx: Context) -> None:
        """Write what there is."""
        if self._points or self._open:
            self._write()

    def state_dict(self) -> dict[str, Any]:
        """The points so far."""
        points, begun = ([asdict(p) for p in some] for some in (self._points, self._open))
        return {"every": self._every, "points": points, "open": begun}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._every = state["every"]
        self._points, self._open = (
            [Stretch(**values) for values in state[name]] for name in ("points", "open")
        )
        self._write()

    def _close_stretch(self) -> None:
        if self._open:
            self._points.append(joined(self._open))
        self._open = []
        if len(self._points) >= MOST:
            self._every *= 2
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [joined(pair) for pair in pairs]

    def _write(self) -> None:
        points = [*self._points, *([joined(self._open)] if self._open else [])]
        with self._spare.attempt():
            write_text(self.path, json.dumps([asdict(p) for p in points]) + "\n")


def joined(parts: list[Stretch] | tuple[Stretch, ...]) -> Stretch:
    """Some stretches as one: its loss is the mean over the rows of all.

    Example:
        >>> joined([Stretch(1, 1, 4.0, 30, 0.1), Stretch(2, 1, 1.0, 10, 0.2)]).loss
        3.25
    """
    rows = sum(part.rows for part in parts)
    last = parts[-1]
    loss = sum(part.loss * part.rows for part in parts) / rows
    return Stretch(last.step, last.epoch, loss, rows, last.learning_rate)


def read_losses(path: Path) -> list[dict[str, Any]]:
    """The points of a file, in order; none where it is missing or damaged."""
    try:
        points = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    whole = isinstance(points, list) and all(map(_is_stretch, points))
    return points if whole else []


def _is_stretch(point: Any) -> bool:
    """Whether a value has the fields of a stretch, and figures that can be drawn."""
    if not isinstance(point, dict) or set(point) != set(Stretch.__dataclass_fields__):
        return False
    counts = all(type(point[n]) is int and 0 <= point[n] < LARGE for n in COUNTS)
    figures = (point["loss"], point["learning_rate"])
    return counts and all(type(v) is float and abs(v) < LARGE for v in figures)
