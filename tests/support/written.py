"""Runs that were never trained: a folder with what a run leaves, written in milliseconds."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather

from nearer.run.handle import Run
from nearer.run.lock import release
from nearer.run.ranks import FACTS, ranks_file
from nearer.run.record import create

FACTS_OF_ALL = {"limit": 2, "definitions": "trec", "metrics": {"ndcg_at_k": "max"}}


def written_run(
    folder: Path,
    name: str,
    values: Sequence[Sequence[float]],
    queries: Sequence[str] = ("q1", "q2", "q3"),
    documents: Sequence[str] = ("d1", "d2"),
    experiment: str = "shoes",
    spec: dict[str, Any] | None = None,
    **record: Any,
) -> Run:
    """A run with one evaluation, `toy`, and ten steps an epoch.

    Args:
        folder: Of all runs.
        name: Its name.
        values: nDCG of each query at each epoch, 0 included. The second document comes first where
            it is above a half.
        queries: Ids.
        documents: Ids; two.
        experiment: What it belongs to.
        spec: What was asked for.
        record: More of run.json.
    """
    made = create(folder, experiment, name, spec or {"model": "m", "train_data": "t.csv"})
    release(made.path)
    made.ranks.mkdir()
    lines = []
    for epoch, of_epoch in enumerate(values):
        metrics = {"toy_ndcg_at_k": sum(of_epoch) / len(of_epoch)}
        metrics |= {"train_loss": 1 / epoch} if epoch else {}
        line = {"epoch": epoch, "step": 10 * epoch, "metrics": metrics, "seconds": 1.5 * epoch}
        lines.append(json.dumps(line) + "\n")
        hits = [list(documents)[:: -1 if value > 0.5 else 1] for value in of_epoch]
        table = pa.table(
            {
                "query": pa.array(queries, pa.large_string()),
                "hits": pa.array(hits, pa.large_list(pa.large_string())),
                "first_relevant": pa.array([1] * len(queries)),
                "ndcg_at_k": pa.array(of_epoch, pa.float64()),
            }
        )
        table = table.replace_schema_metadata({FACTS: json.dumps(FACTS_OF_ALL).encode()})
        feather.write_feather(table, str(made.ranks / ranks_file("toy", epoch, 10 * epoch)))
    made.metrics.write_text("".join(lines), encoding="utf-8")
    made.update(**{"data": {"evaluation toy": {"queries": len(queries)}}, **record})
    return Run(made.path)


def finished(values: Sequence[Sequence[float]], kept: int) -> dict[str, Any]:
    """What run.json says of such a run that is finished and kept an epoch."""
    metrics = [{"toy_ndcg_at_k": sum(values[i]) / len(values[i])} for i in (0, kept)]
    return {
        "status": "finished",
        "stop_reason": {"kind": "patience", "detail": "no gain in 2 evaluations"},
        "epochs_run": len(values) - 1,
        "steps": 10 * (len(values) - 1),
        "best_epoch": kept,
        "kept": {"epoch": kept, "step": 10 * kept},
        "metrics": {"before": metrics[0], "after": metrics[1]},
        "seconds": 100.0,
        "seconds_by": {"preparing": 20.0, "training": 60.0, "evaluation": 15.0, "artifact": 5.0},
    }
