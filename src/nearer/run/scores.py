"""An evaluation outside of a run: of a model, or of embeddings that are there already."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from nearer.evaluation.budget import memory_bytes
from nearer.evaluation.distances import Distance
from nearer.evaluation.reading import OnBadRow, ReadSet, read_evaluation_set
from nearer.evaluation.result import EvaluationResult
from nearer.evaluation.scoring import Measure
from nearer.evaluation.trec import write_trec_run
from nearer.run.faults import Faults, too_small
from nearer.run.given import PREFIX, evaluate_embeddings
from nearer.run.launch import is_main

LOGGER = logging.getLogger("nearer")


def evaluate_any(
    *,
    model: Any,
    embeddings: Any,
    query_data: Any,
    index_data: Any,
    qrels: Any,
    name: str | None,
    limit: int,
    cutoffs: Sequence[int],
    distance: Distance,
    definitions: str,
    truncate_dim: int | None,
    columns: Mapping[str, str] | None,
    on_bad_row: OnBadRow,
    query_sample_size: int | None,
    sample_seed: int,
    memory_budget: int | str,
    trec_run: str | Path | None,
    both_directions: bool,
    device: str,
    track: Any,
) -> EvaluationResult:
    """Check what was asked, then evaluate; see `nearer.evaluate`."""
    faults = Faults()
    if (model is None) == (embeddings is None):
        both = "both are given" if model is not None else "neither is given"
        faults.add(
            f"model, embeddings: {both}; give a model to embed with, or the embeddings themselves"
        )
    if query_data is None:
        faults.add("query_data: missing; the queries to evaluate with")
    faults.add(
        *too_small(
            limit=(limit, 1),
            truncate_dim=(truncate_dim, 1),
            query_sample_size=(query_sample_size, 1),
            sample_seed=(sample_seed, 0),
        )
    )
    if isinstance(cutoffs, int | str):
        faults.add(f"cutoffs: {cutoffs!r}; must be a list of whole numbers, [1, 10]")
        cutoffs = ()
    if on_bad_row not in get_args(OnBadRow):
        faults.add(f"on_bad_row: {on_bad_row!r}; must be 'error' or 'skip'")
    if not isinstance(both_directions, bool):
        faults.add(f"both_directions: {both_directions!r}; must be true or false")
    if not isinstance(columns, Mapping | None):
        faults.add(f"columns: {columns!r}; must be names with values")
    if trec_run is not None and not Path(trec_run).expanduser().parent.is_dir():
        faults.add(f"trec_run: there is no folder {Path(trec_run).parent}; make it first")
    budget = faults.get(lambda: memory_bytes(memory_budget))
    k = limit if isinstance(limit, int) and limit > 0 else 1
    measure = faults.get(lambda: Measure(k, cutoffs, distance, definitions, None, budget or 1))
    faults.report()
    reading: dict[str, Any] = {
        "query_data": query_data,
        "index_data": index_data,
        "qrels": qrels,
        "columns": columns,
        "on_bad_row": on_bad_row,
        "query_sample_size": query_sample_size,
        "sample_seed": sample_seed,
        "both_directions": both_directions,
    }
    if embeddings is None:
        found = _of_model(model, device, reading, measure, truncate_dim, track)
    else:
        found = _of_embeddings(embeddings, reading, measure, truncate_dim, track)
    result, read, prefix = found
    if trec_run is not None and is_main():
        sets = read.data
        write_trec_run(trec_run, sets.query.ids, sets.searched.ids, result.rows, result.scores)
    metrics = {f"{name or prefix}_{bare}": value for bare, value in result.reported.items()}
    return replace(result, metrics=metrics)


def _of_embeddings(
    embeddings: Any, reading: dict[str, Any], measure: Measure, truncate_dim: int | None, track: Any
) -> tuple[EvaluationResult, ReadSet, str]:
    result, read = evaluate_embeddings(
        embeddings, reading, measure, truncate_dim, track or _untracked
    )
    return result, read, PREFIX


def _of_model(
    model: Any,
    device: str,
    reading: dict[str, Any],
    measure: Measure,
    truncate_dim: int | None,
    track: Any,
) -> tuple[EvaluationResult, ReadSet, str]:
    """Read the data first, then load the model and embed."""
    read = read_evaluation_set(**reading)
    for note in read.notes:
        LOGGER.warning("%s", note)
    # From here on torch is needed, which takes a second to import.
    from nearer.encoder.protocol import device_of
    from nearer.encoder.sharing import SharedEmbeddings
    from nearer.encoder.store import default_store
    from nearer.evaluation.evaluator import evaluate
    from nearer.run.launch import Shared, open_world
    from nearer.run.use import open_encoder

    encoder = open_encoder(model, device)
    world = open_world(device_of(encoder.module))
    result = evaluate(
        encoder,
        read.data,
        limit=measure.limit,
        cutoffs=measure.cutoffs,
        distance=measure.distance,
        definitions=measure.definitions,
        truncate_dim=truncate_dim,
        memory_budget=measure.memory_budget,
        encode=SharedEmbeddings(default_store()),
        track=track or _untracked,
        processes=Shared(world),
        both_directions=reading["both_directions"],
    )
    return result, read, encoder.name


def _untracked(description: str, total: int) -> nullcontext[Callable[[int], None]]:
    return nullcontext(lambda done: None)
