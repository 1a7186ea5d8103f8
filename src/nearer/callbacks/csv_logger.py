"""CSVLogger: one line for each evaluation point in a CSV file."""

import csv
import io
from pathlib import Path

from nearer.callbacks.spare import LineFile
from nearer.loop.callback import Callback
from nearer.loop.context import Context


class CSVLogger(Callback):
    """Write the metrics of every evaluation point to a CSV file, epoch 0 included.

    Columns are `epoch`, `step`, and every metric that the run declares, in that order; a metric
    that a point does not report is left empty. A line is on disk as soon as its point is done; one
    that cannot be written is warned about once and comes with the next.

    Args:
        filename: The file; folders are made, an existing file is replaced when the fit begins.
        separator: Between the columns; default a comma.

    Example:
        >>> CSVLogger("metrics.csv").filename
        'metrics.csv'
    """

    def __init__(self, filename: str | Path, separator: str = ",") -> None:
        self.filename = str(filename)
        self.separator = separator

    def on_fit_begin(self, ctx: Context) -> None:
        """Begin the file with its header."""
        self._columns = [metric.key for metric in ctx.declared]
        path = Path(self.filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = LineFile(path)
        self._file.begin()
        self._write(["epoch", "step", *self._columns])

    def on_metrics(self, ctx: Context) -> None:
        """Write this point's line."""
        point = ctx.point
        if point is not None:
            values = [point.metrics.get(key, "") for key in self._columns]
            self._write([point.epoch, point.step, *values])

    def on_close(self, ctx: Context) -> None:
        """Write what a full disk has held up; the fit may have failed before there was a file."""
        if "_file" in vars(self):
            self._file.finish()

    def _write(self, row: list[object]) -> None:
        line = io.StringIO()
        csv.writer(line, delimiter=self.separator).writerow(row)
        self._file.add(line.getvalue())
