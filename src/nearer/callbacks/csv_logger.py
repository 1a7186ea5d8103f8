"""CSVLogger: one line for each evaluation point in a CSV file."""

import csv
import io
from pathlib import Path

from nearer.callbacks.spare import LineFile
from nearer.errors import SpecError
from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.loop.state import EvaluationPoint


class CSVLogger(Callback):
    """Write the metrics of every evaluation point to a CSV file, epoch 0 included.

    Columns are `epoch`, `step`, and every metric that the run declares, in that order; a metric
    that a point does not report is left empty. A line is on disk as soon as its point is done; one
    that cannot be written is warned about once and comes with the next.

    Args:
        filename: The file; folders are made, an existing file is replaced when the fit begins
            (at a resume with the points up to the checkpoint).
        separator: Between the columns; default a comma.

    Raises:
        SpecError: The separator is not one character.

    Example:
        >>> CSVLogger("metrics.csv").filename
        'metrics.csv'
    """

    def __init__(self, filename: str | Path, separator: str = ",") -> None:
        if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n':
            raise SpecError(
                [f"CSVLogger.separator: {separator!r}; must be one character, such as a comma"]
            )
        self.filename = str(filename)
        self.separator = separator

    def on_fit_begin(self, ctx: Context) -> None:
        """Begin the file with its header; at a resume, with the points so far as well."""
        self._columns = [metric.key for metric in ctx.declared]
        path = Path(self.filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = LineFile(path)
        self._file.begin()
        # A name such as "=cmd()" would be a formula to a spreadsheet.
        names = [f"'{key}" if key[:1] in "=+-@\t\r" else key for key in self._columns]
        self._write(["epoch", "step", *names])
        for point in ctx.history:
            self._write_point(point)

    def on_metrics(self, ctx: Context) -> None:
        """Write this point's line."""
        point = ctx.point
        if point is not None:
            self._write_point(point)

    def on_close(self, ctx: Context) -> None:
        """Write what a full disk has held up; the fit may have failed before there was a file."""
        if "_file" in vars(self):
            self._file.finish()

    def _write_point(self, point: EvaluationPoint) -> None:
        values = [point.metrics.get(key, "") for key in self._columns]
        self._write([point.epoch, point.step, *values])

    def _write(self, row: list[object]) -> None:
        line = io.StringIO()
        csv.writer(line, delimiter=self.separator).writerow(row)
        self._file.add(line.getvalue())
