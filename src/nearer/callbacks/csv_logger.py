"""CSVLogger: one line for each evaluation point in a CSV file."""

import csv
from pathlib import Path

from nearer.errors import SpecError
from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.loop.state import EvaluationPoint


class CSVLogger(Callback):
    """Write the metrics of every evaluation point to a CSV file, epoch 0 included.

    Columns are `epoch`, `step`, and every metric that the run declares, in that order; a metric
    that a point does not report is left empty. A line is on disk as soon as its point is done.

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
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, delimiter=self.separator)
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
        """Close the file; the fit may have failed before there was one."""
        if "_file" in vars(self):
            self._file.close()

    def _write_point(self, point: EvaluationPoint) -> None:
        values = [point.metrics.get(key, "") for key in self._columns]
        self._write([point.epoch, point.step, *values])

    def _write(self, row: list[object]) -> None:
        self._writer.writerow(row)
        self._file.flush()
