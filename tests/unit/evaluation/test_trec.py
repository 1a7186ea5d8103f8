"""The run file says what trec_eval has to read, or is not written at all."""

import os

import numpy as np
import pyarrow as pa
import pytest
import pytrec_eval

from nearer.errors import DataError, UsageError
from nearer.evaluation.relevance import JudgedRelevance
from nearer.evaluation.scoring import score
from nearer.evaluation.trec import strictly_falling, write_trec_run


def ids(prefix: str, n: int) -> pa.ChunkedArray:
    names = [f"{prefix}{i}" for i in range(n)]
    return pa.chunked_array([names[: n // 2], names[n // 2 :]], pa.string())


def test_lines(tmp_path) -> None:
    rows = np.array([[2, 0], [1, -1], [-1, -1]])
    scores = np.array([[0.5, 0.25], [-1.5, -np.inf], [-np.inf, -np.inf]])
    write_trec_run(tmp_path / "run", ids("q", 3), ids("é", 3), rows, scores, tag="t")
    assert (tmp_path / "run").read_text("utf-8") == (
        "q0 Q0 é2 1 0.5 t\nq0 Q0 é0 2 0.25 t\nq1 Q0 é1 1 -1.5 t\n"
    )
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize("scale", [1.0, 0.0, 1e-9, 1e30, -1.0])
def test_scores_fall_strictly_as_float32(scale) -> None:
    rng = np.random.default_rng(0)
    scores = scale * np.sort(np.round(rng.standard_normal((50, 30)), 1) + 1e-12)
    scores = -np.sort(-scores, axis=1)
    falling = strictly_falling(scores)
    assert falling.dtype == np.float32
    assert (np.diff(falling, axis=1) < 0).all()
    assert np.isfinite(strictly_falling(np.full((1, 9), -1e300))).all()
    np.testing.assert_allclose(falling, scores, rtol=1e-5, atol=1e-40)


@pytest.mark.parametrize("kind", ["spread", "collapsed", "ties"])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_trec_eval_reads_the_reported_metrics_from_the_file(tmp_path, kind, distance) -> None:
    rng = np.random.default_rng(1)
    query, index = rng.standard_normal((40, 6)), rng.standard_normal((300, 6))
    if kind == "collapsed":
        index = index[:1] + 1e-9 * index
    if kind == "ties":
        query, index = np.round(query / 2), np.round(index / 2)
    q, d, g = rng.integers(0, 35, 400), rng.integers(0, 300, 400), rng.integers(-1, 4, 400)
    pairs = {(int(a), int(b)): int(c) for a, b, c in zip(q, d, g, strict=True)}
    q, d, g = np.array([(*pair, grade) for pair, grade in pairs.items()]).T
    relevance = JudgedRelevance(40, q, d, g)
    result = score(query, index, relevance, limit=50, cutoffs=[5], distance=distance)
    path = tmp_path / "run.txt"
    write_trec_run(path, ids("q", 40), ids("d", 300), result.rows, result.scores)
    with path.open() as file:
        run = pytrec_eval.parse_run(file)
    qrels: dict[str, dict[str, int]] = {f"q{i}": {} for i in range(40)}
    for (a, b), grade in pairs.items():
        qrels[f"q{a}"][f"d{b}"] = grade
    names = {
        "average_precision": "map_cut_50",
        "ndcg_at_k": "ndcg_cut_50",
        "ndcg@5": "ndcg_cut_5",
        "precision@5": "P_5",
        "recall_at_k": "recall_50",
        "hit_at_k": "success_50",
        "reciprocal_rank": "recip_rank",
        "r_precision": "Rprec",
    }
    measures = {"map_cut.50", "ndcg_cut.5,50", "P.5", "recall.50", "success.50"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, measures | {"recip_rank", "Rprec"}).evaluate(run)
    for ours, name in names.items():
        expected = sum(values[name] for values in theirs.values()) / 40
        assert result.metrics[ours] == pytest.approx(expected, abs=1e-6), ours


def test_ids_that_the_format_cannot_hold(tmp_path) -> None:
    rows, scores = np.array([[0]]), np.array([[1.0]])
    for bad in ("a b", "a\tb", "", "a\u00a0b", "a\n"):
        with pytest.raises(DataError, match=r"index id .* \(row 1\)"):
            write_trec_run(
                tmp_path / "r", ids("q", 1), pa.chunked_array([["x", bad]]), rows, scores
            )
    with pytest.raises(DataError, match="query id 'a b'"):
        write_trec_run(tmp_path / "r", pa.chunked_array([["a b"]]), ids("d", 1), rows, scores)
    with pytest.raises(DataError, match="tag 'my run'"):
        write_trec_run(tmp_path / "r", ids("q", 1), ids("d", 1), rows, scores, tag="my run")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        write_trec_run(
            tmp_path / "no" / "r", ids("q", 1), ids("d", 1), np.array([[0]]), np.array([[1.0]])
        )


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "run"
    path.write_text("old")

    def broken(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        write_trec_run(path, ids("q", 1), ids("d", 1), np.array([[0]]), np.array([[1.0]]))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["run"]
