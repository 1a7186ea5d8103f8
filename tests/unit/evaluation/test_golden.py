"""One complete TREC run, byte for byte, and trec_eval's own reading of the file that is kept."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import pytrec_eval

from nearer.evaluation.relevance import JudgedRelevance
from nearer.evaluation.result import EvaluationResult
from nearer.evaluation.scoring import score
from nearer.evaluation.trec import write_trec_run

GOLDEN = Path(__file__).parents[2] / "golden"
QUERIES, ROWS, LIMIT = 12, 60, 10
JUDGED = {(q, (7 * q * q + 11 * j) % ROWS): j % 5 - 1 for q in range(QUERIES - 2) for j in range(9)}
"""Grades from -1 to 3; the last two queries have nothing relevant."""

TREC = {
    "average_precision": "map_cut_10",
    "hit_at_k": "success_10",
    "ndcg_at_k": "ndcg_cut_10",
    "ndcg@3": "ndcg_cut_3",
    "precision_at_k": "P_10",
    "r_precision": "Rprec",
    "recall_at_k": "recall_10",
    "reciprocal_rank": "recip_rank",
}
MEASURES = {"map_cut.10", "success.10", "ndcg_cut.3,10", "P.10", "Rprec", "recall.10", "recip_rank"}


def whole_numbers(rows: int, step: int) -> np.ndarray:
    """Embeddings whose products are exact in any order, so that every machine has the same bits."""
    i, j = np.arange(rows)[:, None], np.arange(8)
    return ((step * i * (j + 1) + i // 5 + j * j) % 7 - 3).astype(np.float32)


def evaluated() -> EvaluationResult:
    pairs = np.array(list(JUDGED))
    relevance = JudgedRelevance(QUERIES, *pairs.T, np.array(list(JUDGED.values())))
    queries, index = whole_numbers(QUERIES, 3), whole_numbers(ROWS, 5)
    return score(queries, index, relevance, limit=LIMIT, cutoffs=[3])


def ids(prefix: str, n: int) -> pa.ChunkedArray:
    return pa.chunked_array([[f"{prefix}{i:02}" for i in range(n)]])


def test_the_run_and_its_metrics_are_those_that_were_kept(tmp_path) -> None:
    result = evaluated()
    ties = (np.diff(result.scores, axis=1) == 0).sum()
    assert ties > 20  # the interesting part
    path = tmp_path / "run.trec"
    write_trec_run(path, ids("q", QUERIES), ids("d", ROWS), result.rows, result.scores)
    assert path.read_bytes() == (GOLDEN / "run.trec").read_bytes()
    kept = json.loads((GOLDEN / "metrics.json").read_text(encoding="utf-8"))
    assert result.metrics == pytest.approx(kept, abs=1e-12)


def test_trec_eval_reads_our_metrics_from_the_run_that_was_kept() -> None:
    result = evaluated()
    with (GOLDEN / "run.trec").open(encoding="utf-8") as file:
        run = pytrec_eval.parse_run(file)
    qrels: dict[str, dict[str, int]] = {f"q{q:02}": {} for q in range(QUERIES)}
    for (query, row), grade in JUDGED.items():
        qrels[f"q{query:02}"][f"d{row:02}"] = grade
    theirs = pytrec_eval.RelevanceEvaluator(qrels, MEASURES).evaluate(run)
    assert result.queries_without_relevant == 2
    for ours, name in TREC.items():
        expected = sum(values[name] for values in theirs.values()) / QUERIES
        assert result.metrics[ours] == pytest.approx(expected, abs=1e-6), ours
