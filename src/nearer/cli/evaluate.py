"""`nearer evaluate`: score a model, print its metrics."""

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from nearer.cli.output import Faults, print_table
from nearer.run.pairs import numbers, pairs


def evaluate(
    model: str,
    /,
    *,
    query_data: str,
    index_data: str | None = None,
    qrels: str | None = None,
    name: str | None = None,
    limit: int = 20,
    cutoffs: str = "",
    distance: Literal["cosine", "dot", "euclidean"] = "cosine",
    definitions: Literal["trec", "docarray"] = "trec",
    truncate_dim: int | None = None,
    columns: str | None = None,
    on_bad_row: Literal["error", "skip"] = "error",
    trec_run: Path | None = None,
    device: str = "auto",
    json: Annotated[bool, Parameter(help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Score a model on queries and an index.

    Args:
        model: Artifact, catalog name, hub id or local folder.
        query_data: Queries, or a BEIR folder.
        index_data: Documents; default: the queries, each without itself.
        qrels: Judgments in BEIR or TREC form; default: equal labels are relevant.
        name: Prefix of the metrics; default: the model's short name.
        limit: Results that count, the k of the metrics.
        cutoffs: More values of k: 1,10.
        distance: How embeddings are compared.
        definitions: trec, or docarray (the formulas of jina-ai/finetuner).
        truncate_dim: Evaluate only the first dimensions.
        columns: Our column names to yours: text=question,id=key.
        on_bad_row: error, or skip.
        trec_run: Write the ranking to this file in TREC's form.
        device: auto, cpu, cuda or mps.
    """
    faults = Faults()
    options: dict[str, Any] = {
        "cutoffs": faults.read("cutoffs", numbers, cutoffs),
        "columns": faults.read("columns", pairs, columns) if columns else None,
    }
    for option, value in (("limit", limit), ("truncate_dim", truncate_dim)):
        if value is not None and value < 1:
            faults.add(f"{option}: {value}; must be at least 1")
    faults.report()
    import nearer

    with nearer.ProgressBar() as bar:
        result = nearer.evaluate(
            model,
            query_data,
            index_data,
            qrels,
            name=name,
            limit=limit,
            distance=distance,
            definitions=definitions,
            truncate_dim=truncate_dim,
            on_bad_row=on_bad_row,
            trec_run=trec_run,
            device=device,
            track=bar.track,
            **options,
        )
    if json:
        print(
            jsonlib.dumps(
                {
                    "metrics": result.metrics,
                    "queries": result.queries,
                    "queries_without_relevant": result.queries_without_relevant,
                    "index": result.index,
                    "seconds": round(result.seconds, 3),
                }
            )
        )
        return 0
    rows = [(key, f"{value:.5f}") for key, value in result.metrics.items()]
    print_table([("metric", "value"), *rows], sys.stdout)
    without = result.queries_without_relevant
    note = f" ({without:,} of them without relevant documents)" if without else ""
    print(f"{result.queries:,} queries{note}, {result.index:,} documents, {result.seconds:.1f} s")
    return 0
