"""`nearer evaluate`: score a model, print its metrics."""

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from nearer.cli.output import Faults, print_table
from nearer.run.faults import too_small
from nearer.run.launch import is_main
from nearer.run.pairs import numbers, pairs


def evaluate(
    model: str | None = None,
    /,
    *,
    query_data: str,
    index_data: str | None = None,
    qrels: str | None = None,
    embeddings: str | None = None,
    name: str | None = None,
    limit: int = 20,
    cutoffs: str = "",
    distance: Literal["cosine", "dot", "euclidean"] = "cosine",
    definitions: Literal["trec", "docarray"] = "trec",
    truncate_dim: int | None = None,
    columns: str | None = None,
    on_bad_row: Literal["error", "skip"] = "error",
    query_sample_size: int | None = None,
    sample_seed: int = 42,
    memory_budget: str = "1GiB",
    trec_run: Path | None = None,
    both_directions: bool = False,
    device: str = "auto",
    json: Annotated[bool, Parameter(help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Score a model, or embeddings that are there already, on queries and an index.

    Args:
        model: Artifact, catalog name, hub id or local folder.
        query_data: Queries, or a BEIR folder.
        index_data: Documents; default: the queries, each without itself.
        qrels: Judgments in BEIR or TREC form; default: equal labels are relevant.
        embeddings: In place of a model: one file (.npy, Parquet, Arrow) for queries that are the
            index, or two: query.npy,index.npy. Row i belongs to row i of the data.
        name: Prefix of the metrics; default: the model's short name, or embeddings.
        limit: Results that count, the k of the metrics.
        cutoffs: More values of k: 1,10.
        distance: How embeddings are compared.
        definitions: trec, or docarray (the formulas of jina-ai/finetuner).
        truncate_dim: Evaluate only the first dimensions.
        columns: Our column names to yours: text=question,id=key,embedding=vector.
        on_bad_row: error, or skip.
        query_sample_size: How many queries ask, drawn once; default: all.
        sample_seed: The same seed draws the same queries.
        memory_budget: What the search may take beside the queries: 1GiB, 512MB, 2g.
        trec_run: Write the ranking to this file in TREC's form.
        both_directions: Also let the rows of the index ask: NAME_reverse_METRIC.
        device: auto, cpu, cuda or mps.
    """
    faults = Faults()
    options: dict[str, Any] = {
        "cutoffs": faults.read("cutoffs", numbers, cutoffs),
        "columns": faults.read("columns", pairs, columns) if columns else None,
        "embeddings": [part.strip() for part in embeddings.split(",")] if embeddings else None,
    }
    for fault in too_small(
        limit=(limit, 1),
        truncate_dim=(truncate_dim, 1),
        query_sample_size=(query_sample_size, 1),
        sample_seed=(sample_seed, 0),
    ):
        faults.add(fault)
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
            query_sample_size=query_sample_size,
            sample_seed=sample_seed,
            memory_budget=memory_budget,
            trec_run=trec_run,
            both_directions=both_directions,
            device=device,
            track=bar.track if is_main() else None,
            **options,
        )
    if not is_main():
        return 0
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
