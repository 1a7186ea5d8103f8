"""How near an export is to its artifact: on which rows, by cosine, by metrics. Writes nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from nearer.callbacks import EvaluationCallback
from nearer.data.collection import Collection
from nearer.data.pictures import picture_items
from nearer.encoder.embedding import encode
from nearer.encoder.protocol import Encoder, Side, Track
from nearer.encoder.sharing import SharedEmbeddings
from nearer.encoder.store import default_store
from nearer.encoder.towers import FOLDERS, TwoTowers
from nearer.errors import NearerError, SpecError
from nearer.evaluation.budget import memory_bytes
from nearer.evaluation.evaluator import evaluate
from nearer.run.faults import EVALUATION
from nearer.run.registry import build_callback
from nearer.run.spec_json import lost

ROWS = 256
"""Most rows of each side that are compared."""


def recorded_evaluation(spec: Mapping[str, Any]) -> tuple[EvaluationCallback | None, str]:
    """The first evaluation that an artifact's spec names, with its data read.

    Callbacks of the user's own are passed over: an artifact may come from elsewhere, and imports
    nothing here.

    Returns:
        The evaluation, or None and why there is none.
    """
    named = [c for c in spec.get("callbacks") or () if isinstance(c, Mapping)]
    named = [dict(c) for c in named if c.get("name") == EvaluationCallback.__name__]
    if spec.get("query_data") is not None:
        options = {name: spec[name] for name in (*EVALUATION, "on_bad_row") if name in spec}
        named.append({"name": EvaluationCallback.__name__, **options})
    if not named:
        return None, "the run has no evaluation"
    if lost(named[0]):
        return None, "the run's evaluation data was an object, which is not on disk"
    try:
        evaluation = build_callback(named[0])
        assert isinstance(evaluation, EvaluationCallback)
        evaluation.check()
    except NearerError as error:
        said = str(error).split("\n")[0]
        return None, f"the run's evaluation data cannot be read: {said}"
    return evaluation, ""


def rows_to_check(
    evaluation: EvaluationCallback | None, given: Collection | None, note: str
) -> dict[Side, list[Any]]:
    """Rows to check with, spread evenly: those given, else those of the run's evaluation."""
    if given is not None:
        return {side: _some(given) for side in FOLDERS}
    if evaluation is None or evaluation.evaluation_set is None:
        raise SpecError(
            [
                f"data: {note}; give a file with a column text or image, as an export is kept only "
                "if it embeds real rows as the artifact does"
            ]
        )
    sets = evaluation.evaluation_set
    return {"query": _some(sets.query), "document": _some(sets.searched)}


def _some(rows: Collection) -> list[Any]:
    chosen = np.unique(np.linspace(0, len(rows) - 1, ROWS).astype(np.int64))
    items: list[Any] = rows.items.take(pa.array(chosen)).to_pylist()
    return picture_items(items) if rows.modality == "image" else items


def compute_in_float32(encoder: Encoder) -> None:
    """As a graph does: what a lower precision makes of embeddings is no fault of the graph."""
    encoder.precision = "fp32"
    for tower in encoder.towers.values() if isinstance(encoder, TwoTowers) else ():
        tower.precision = "fp32"


def parity(
    encoder: Encoder, exported: Encoder, items: Mapping[Side, Sequence[Any]]
) -> dict[str, float]:
    """Cosines of the embeddings of some rows by both, each side as that side."""
    cosines = []
    for side, some in items.items():
        ours, theirs = (encode(e, some, side).astype(np.float64) for e in (encoder, exported))
        lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        cosines.append((ours * theirs).sum(axis=1) / np.maximum(lengths, np.finfo(float).tiny))
    found = np.concatenate(cosines)
    return {"rows": len(found), "least": float(found.min()), "mean": float(found.mean())}


def score(encoder: Encoder, evaluation: EvaluationCallback, track: Track) -> dict[str, float]:
    """Evaluate an encoder as a run's evaluation did."""
    assert evaluation.evaluation_set is not None
    result = evaluate(
        encoder,
        evaluation.evaluation_set,
        limit=evaluation.limit,
        cutoffs=evaluation.cutoffs,
        distance=evaluation.distance,
        definitions=evaluation.definitions,
        truncate_dim=evaluation.truncate_dim,
        memory_budget=memory_bytes(evaluation.memory_budget),
        encode=SharedEmbeddings(default_store()),
        track=track,
    )
    prefix = evaluation.prefix(encoder.name)
    return {f"{prefix}_{bare}": value for bare, value in result.metrics.items()}
