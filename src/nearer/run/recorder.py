"""The run's own recorder: a callback that writes metrics.jsonl and the ranks of every query."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather

from nearer.artifact.atomic import new_file, write_text
from nearer.callbacks import EvaluationCallback
from nearer.callbacks.spare import LineFile, Spare
from nearer.data.collection import Collection
from nearer.data.fingerprint import fingerprint
from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.loop.state import EvaluationPoint
from nearer.run.ranks import FACTS, all_ranks, ranks_file
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
        self._lines = LineFile(folder.metrics)
        self._spare = Spare("ranks of the queries")

    def on_fit_begin(self, ctx: Context) -> None:
        """Begin with empty records, or at a resume with those of the points so far.

        `seconds` of a line counts from here.
        """
        self._began = time.monotonic()
        self._data: dict[str, tuple[pa.Table, dict[str, Any]]] = {}
        write_text(self.folder.metrics, "".join(self._lines_of(ctx.history)))
        self._lines.go_on()
        self.folder.ranks.mkdir(exist_ok=True)
        there = {(point.epoch, point.step) for point in ctx.history}
        known = {r.path for r in all_ranks(self.folder.ranks) if (r.epoch, r.step) in there}
        for left in self.folder.ranks.glob(
            "*.arrow"
        ):  # of an attempt that came further, or to nothing
            if left not in known:
                left.unlink()

    def _lines_of(self, history: Sequence[EvaluationPoint]) -> list[str]:
        """The lines of some points: as they stand in the file, else anew and without seconds."""
        written = []
        if history and self.folder.metrics.is_file():
            text = self.folder.metrics.read_text(encoding="utf-8", errors="replace")
            written = text.splitlines(keepends=True)
        lines = []
        for i, point in enumerate(history):
            line = written[i] if i < len(written) else ""
            lines.append(line if _says(line, point) else _line(point, None))
        return lines

    def state_dict(self) -> dict[str, Any]:
        """Seconds since the fit began."""
        return {"seconds": time.monotonic() - self._began}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on counting where `state_dict` was taken."""
        self._began = time.monotonic() - state["seconds"]

    def on_metrics(self, ctx: Context) -> None:
        """Append this point's line and write the ranks behind it."""
        point = ctx.point
        if point is None:
            return
        for evaluation in self.evaluations:
            with self._spare.attempt():
                self._write_ranks(evaluation, point, ctx.config.model_name)
        self._lines.add(_line(point, round(time.monotonic() - self._began, 3)))

    def on_close(self, ctx: Context) -> None:
        """Write the lines that a full disk has held up."""
        self._lines.finish()

    def _write_ranks(
        self, evaluation: EvaluationCallback, point: EvaluationPoint, model_name: str
    ) -> None:
        result, data = evaluation.result, evaluation.evaluation_set
        declared = evaluation.produces(model_name)
        # An evaluation that passed over this point still has the result of an earlier one.
        if result is None or data is None or not any(m.key in point.metrics for m in declared):
            return
        name = evaluation.prefix(model_name)
        if name not in self._data:
            self._data[name] = _columns(data), _facts(evaluation)
        columns, facts = self._data[name]
        table = result.to_arrow(data.query.ids, data.searched.ids)
        for column in columns.column_names:
            table = table.append_column(column, columns[column])
        directions = {m.bare: m.direction for m in declared if m.bare in result.per_query}
        said = json.dumps({**facts, "metrics": directions})
        table = table.replace_schema_metadata({FACTS: said.encode()})
        path = self.folder.ranks / ranks_file(name, point.epoch, point.step)
        with new_file(path) as file:
            feather.write_feather(table, file, compression="zstd")


def _line(point: EvaluationPoint, seconds: float | None) -> str:
    values = {"epoch": point.epoch, "step": point.step, "metrics": plain_metrics(point.metrics)}
    return json.dumps({**values, "seconds": seconds}) + "\n"


def _says(line: str, point: EvaluationPoint) -> bool:
    """Whether a line of the file is the whole line of a point."""
    try:
        seconds = json.loads(line)["seconds"]
    except (ValueError, KeyError, TypeError):
        return False
    return line == _line(point, seconds)


def _columns(data: Any) -> pa.Table:
    """What is the same at every point: what each query is, and how much is relevant to it."""
    return pa.table(
        {
            "content": content_hashes(data.query),
            "relevant": pa.array(np.asarray(data.relevance.counts), pa.int64()),
        }
    )


def _facts(evaluation: EvaluationCallback) -> dict[str, Any]:
    data = evaluation.evaluation_set
    assert data is not None
    return {
        "limit": evaluation.limit,
        "definitions": evaluation.definitions,
        "index_size": len(data.searched),
        "query_fingerprint": fingerprint_of(data.query),
        "index_fingerprint": fingerprint_of(data.searched),
    }


def fingerprint_of(side: Collection) -> str:
    """The fingerprint of ids and items; pictures count by their paths."""
    return fingerprint(pa.table({"id": side.ids, "item": side.items}))


def content_hashes(queries: Collection) -> pa.Array:
    """A number for each query's text, so that another text under the same id is noticed.

    Null for pictures: the same picture may lie elsewhere.
    """
    if queries.modality != "text":
        return pa.nulls(len(queries), pa.uint64())
    digests = b"".join(
        hashlib.blake2b(item.encode(), digest_size=8).digest()
        for chunk in queries.items.chunks
        for item in chunk.to_pylist()
    )
    return pa.array(np.frombuffer(digests, dtype="<u8"))
