"""The run's own recorder: a callback that writes metrics.jsonl and the ranks of every query."""

import json
import os
import time
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.feather as feather

from nearer.callbacks import EvaluationCallback
from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.loop.state import EvaluationPoint
from nearer.run.record import RunFolder, plain_metrics


class Recorder(Callback):
    """Write each evaluation point to the run's folder as soon as it is complete.

    Args:
        folder: The run's folder.
        evaluations: The evaluations whose ranks are kept.
    """

    def __init__(self, folder: RunFolder, evaluations: Sequence[EvaluationCallback]) -> None:
        self.folder = folder
        self.evaluations = list(evaluations)

    def on_fit_begin(self, ctx: Context) -> None:
        """Begin with empty records; `seconds` of a line counts from here."""
        self._began = time.monotonic()
        self.folder.metrics.write_text("", encoding="utf-8")
        self.folder.ranks.mkdir(exist_ok=True)

    def on_metrics(self, ctx: Context) -> None:
        """Append this point's line and write the ranks behind it."""
        point = ctx.point
        if point is None:
            return
        for evaluation in self.evaluations:
            table = _ranks(evaluation)
            if table is not None:
                name = ranks_file(evaluation.prefix(ctx.config.model_name), point)
                feather.write_feather(table, str(self.folder.ranks / name), compression="zstd")
        line = json.dumps(
            {
                "epoch": point.epoch,
                "step": point.step,
                "metrics": plain_metrics(point.metrics),
                "seconds": round(time.monotonic() - self._began, 3),
            }
        )
        with self.folder.metrics.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())


def ranks_file(evaluation: str, point: EvaluationPoint) -> str:
    """Name of the file with the ranks of one evaluation at one point."""
    plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in evaluation)
    return f"{plain}.epoch{point.epoch:03}.step{point.step:07}.arrow"


def _ranks(evaluation: EvaluationCallback) -> pa.Table | None:
    result, data = evaluation.result, evaluation.evaluation_set
    if result is None or data is None:
        return None
    return result.to_arrow(data.query.ids, data.searched.ids)
