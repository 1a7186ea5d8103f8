"""Using models outside of a run: from whatever names one to an encoder, its scores, its vectors."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nearer.artifact.manifest import FILENAME
from nearer.artifact.store import load_artifact
from nearer.data.evaluation_sets import read_collection
from nearer.encoder.loading import load_encoder
from nearer.encoder.protocol import Encoder, Side, untracked
from nearer.encoder.sharing import SharedEmbeddings
from nearer.encoder.store import default_store
from nearer.evaluation.evaluator import evaluate
from nearer.evaluation.reading import read_evaluation_set
from nearer.evaluation.result import EvaluationResult
from nearer.evaluation.trec import write_trec_run
from nearer.run.device import check_device, make_accelerator

LOGGER = logging.getLogger("nearer")


def open_encoder(model: Any, device: str = "auto") -> Encoder:
    """Load a model from an artifact, a name, a folder or an object; an encoder stays as it is."""
    check_device(device)
    if isinstance(model, str | Path) and (Path(model) / FILENAME).is_file():
        encoder = load_artifact(Path(model))
    elif hasattr(model, "prepare") and hasattr(model, "embed"):
        encoder = model
    else:
        encoder = load_encoder(model)
    encoder.module.to(make_accelerator(device).device)
    encoder.module.eval()
    return encoder


def evaluate_model(
    model: Any,
    query_data: Any,
    index_data: Any,
    qrels: Any,
    name: str | None,
    columns: Any,
    on_bad_row: Any,
    trec_run: str | Path | None,
    device: str,
    track: Any,
    **options: Any,
) -> EvaluationResult:
    """Read the data first, then load the model; see `nearer.evaluate`."""
    read = read_evaluation_set(
        query_data, index_data, qrels, columns=columns, on_bad_row=on_bad_row
    )
    for note in read.notes:
        LOGGER.warning("%s", note)
    data = read.data
    encoder = open_encoder(model, device)
    shared = SharedEmbeddings(default_store())
    result = evaluate(encoder, data, encode=shared, track=track or untracked, **options)
    if trec_run is not None:
        write_trec_run(trec_run, data.query.ids, data.searched.ids, result.rows, result.scores)
    prefix = name or encoder.name
    return replace(result, metrics={f"{prefix}_{k}": v for k, v in result.metrics.items()})


def encode_data(model: Any, data: Any, side: Side, device: str, track: Any = None) -> np.ndarray:
    """Embed a list of items, or those of a file; see `nearer.encode`."""
    items: Sequence[Any]
    if isinstance(data, list) and all(isinstance(item, str | Path) for item in data):
        items = data
    else:
        collection = read_collection(data, role="index")
        items = collection.items.to_pylist()
        items = [Path(item) for item in items] if collection.modality == "image" else items
    encoder = open_encoder(model, device)
    with (track or untracked)("Embedding", len(items)) as advance:
        return SharedEmbeddings(default_store())(encoder, items, side, advance=advance)
