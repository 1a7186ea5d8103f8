"""A whole evaluation, encoding included: MiniLM on medquad, against sentence-transformers' own.

Peer and we take turns. The first pass of ours begins with an empty cache; the second one finds
what the first has kept.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from common import DATA, Row

LIMIT = 20
SAME = {
    "ndcg_at_k": "cosine_ndcg@20",
    "hit_at_k": "cosine_accuracy@20",
    "precision_at_k": "cosine_precision@20",
    "recall_at_k": "cosine_recall@20",
    "reciprocal_rank": "cosine_mrr@20",
}
"""What both define alike; its MAP divides by min(k, R), which here, with R = 1, is the same."""


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    value = function()
    return time.perf_counter() - began, value


def whole(quick: bool, stride: int = 1) -> list[Row]:
    """Rows "first time" and "again"; of every `stride`-th query and passage."""
    import numpy as np
    import pyarrow as pa
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    from nearer.encoder.sharing import SharedEmbeddings
    from nearer.encoder.store import default_store
    from nearer.evaluation.evaluation_set import build_evaluation_set
    from nearer.evaluation.evaluator import evaluate
    from nearer.evaluation.reading import read_evaluation_set
    from nearer.evaluation.scoring import score
    from nearer.run.use import open_encoder

    folder = DATA / "medquad"
    read = read_evaluation_set(
        folder / "queries.test.jsonl", folder / "corpus.jsonl", folder / "qrels.test.tsv"
    )
    data = read.data
    stride = 40 if quick else stride
    every = np.arange(0, len(data.query), stride)
    qrels: dict[int, int] = {}
    query_ids, index_ids = data.query.ids.to_pylist(), data.searched.ids.to_pylist()
    place = {name: row for row, name in enumerate(index_ids)}
    asked = {name: row for row, name in enumerate(query_ids)}
    for line in (folder / "qrels.test.tsv").read_text().splitlines()[1:]:
        query, document, _ = line.split("\t")
        qrels[asked[query]] = place[document]
    documents = np.union1d(np.arange(0, len(index_ids), stride), [qrels[q] for q in every.tolist()])
    row_of = {document: row for row, document in enumerate(documents.tolist())}
    query, index = (
        _rows(side, rows, pa) for side, rows in ((data.query, every), (data.searched, documents))
    )
    relevant = np.array([row_of[qrels[q]] for q in every.tolist()])
    judged = (np.arange(len(every)), relevant, np.ones(len(every), dtype=np.int64))
    small = build_evaluation_set(query, index, judged)
    texts = {"q": query.items.to_pylist(), "d": index.items.to_pylist()}

    encoder = open_encoder("minilm")
    kept: dict[str, Any] = {}
    evaluator = InformationRetrievalEvaluator(
        {str(i): text for i, text in enumerate(texts["q"])},
        {str(i): text for i, text in enumerate(texts["d"])},
        {str(i): {str(document)} for i, document in enumerate(relevant.tolist())},
        accuracy_at_k=[LIMIT],
        precision_recall_at_k=[LIMIT],
        mrr_at_k=[LIMIT],
        ndcg_at_k=[LIMIT],
        map_at_k=[LIMIT],
        show_progress_bar=False,
        write_csv=False,
    )
    plain = encoder.model.encode

    def remember(*args: Any, **options: Any) -> Any:
        embedded = plain(*args, **options)
        kept[str(len(embedded))] = embedded
        return embedded

    def first() -> Any:
        store = default_store()
        return evaluate(encoder, small, limit=LIMIT, encode=SharedEmbeddings(store))

    times: dict[str, list[float]] = {"theirs": [], "first": [], "again": []}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["NEARER_CACHE"] = cache
        encoder.model.encode = remember
        seconds, theirs = timed(lambda: evaluator(encoder.model))
        del encoder.model.encode
        times["theirs"].append(seconds)
        seconds, ours = timed(first)
        times["first"].append(seconds)
        seconds, again = timed(first)
        times["again"].append(seconds)
    assert again.metrics == ours.metrics
    assert again.encoded == 0
    on_theirs = score(
        _array(kept[str(len(texts["q"]))]),
        _array(kept[str(len(texts["d"]))]),
        small.relevance,
        limit=LIMIT,
    )
    agree = all(
        abs(on_theirs.metrics[name] - theirs[other]) < 1e-6
        and abs(ours.metrics[name] - theirs[other]) < 2e-3  # another batch, other last bits
        for name, other in SAME.items()
    )
    what = f"{len(texts['d']):,} passages, {len(texts['q']):,} queries"
    return [
        _row(f"first time, {what}", times["first"], times["theirs"], 2.0, agree),
        _row(f"again, weights unchanged, {what}", times["again"], times["theirs"], 20.0, agree),
    ]


def _row(name: str, ours: list[float], theirs: list[float], goal: float, agree: bool) -> Row:
    ratio = statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
    peer = "InformationRetrievalEvaluator"
    mine, other = statistics.median(ours), statistics.median(theirs)
    return Row(name, peer, mine, other, ratio, goal, agree)


def _rows(side: Any, rows: Any, pa: Any) -> Any:
    from dataclasses import replace

    taken = pa.array(rows)
    return replace(side, ids=side.ids.take(taken), items=side.items.take(taken), labels=None)


def _array(value: Any) -> Any:
    return value.cpu().numpy() if hasattr(value, "cpu") else value
