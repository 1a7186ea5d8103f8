"""The evaluation: search and metrics, against the machine's own sgemm and other programs.

    python benchmarks/evaluation.py [--quick] [--json] [--only NAME[,NAME]] [--stride N]

Names: scoring, sgemm, growth, metrics, relevance, whole; default: all. `--stride 4` takes every
fourth row for whole, which is a matter of many minutes.
"""

import argparse
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import Row, main
from evaluation_child import in_child
from evaluation_data import (
    alike,
    clear_cut,
    in_turn,
    make_case,
    ours,
    seconds,
    sentence_transformers,
    unit,
)
from evaluation_metrics import metrics
from evaluation_whole import whole

PEER = "sentence-transformers"


def scoring(quick: bool) -> list[Row]:
    """Embeddings given, to metrics; with copies among the rows, and without."""
    queries, rows, texts, rounds = (300, 5_000, 400, 3) if quick else (5_000, 50_000, 3_300, 5)
    out = []
    for ties, copies, goal in (("ties at the cut", 0.1, 6.0), ("no ties", 0.0, 2.5)):
        case = make_case(queries + queries // 10, rows, texts, copies)
        case = clear_cut(case, queries, ties=copies > 0)
        mine, theirs = ours(case), sentence_transformers(case)
        agree = alike(mine(), theirs())
        one, other, ratio = in_turn(mine, theirs, rounds)
        name = f"scoring, {queries:,} x {rows:,}, k = 100, {ties}: "
        out.append(Row(f"{name}seconds", PEER, one, other, ratio, None if quick else goal, agree))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "case.npz"
            case.save(path)
            small, large = (in_child("score", side, path) for side in ("ours", "theirs"))
        one, other = small["megabytes"], large["megabytes"]
        out.append(
            Row(f"{name}extra MB", PEER, one, other, other / one, None if quick else 10.0, agree)
        )
    return out


def sgemm(quick: bool) -> list[Row]:
    """Share of the rate of the matrix product alone, all threads, exact search included."""
    from nearer.evaluation.search import search

    queries, rows, rounds = (500, 20_000, 3) if quick else (1_000, 100_000, 9)
    rng = np.random.default_rng(0)
    raw = [rng.standard_normal((n, 384), dtype=np.float32) for n in (queries, rows)]
    of_unit_length = [unit(x) for x in raw]
    buffer = np.empty((queries, 8192), dtype=np.float32)
    work = 2e-9 * queries * rows * 384

    def products() -> None:
        for low in range(0, rows, 8192):
            block = raw[1][low : low + 8192]
            np.matmul(raw[0], block.T, out=buffer[:, : len(block)])

    out = []
    cases = [("cosine", of_unit_length, 20, 0.85), ("cosine", of_unit_length, 100, None)]
    cases += [("cosine, raw", raw, 20, None), ("dot", raw, 20, None), ("euclidean", raw, 20, None)]
    for name, (q, x), depth, goal in cases:
        distance = name.split(",")[0]

        def find(q=q, x=x, depth=depth, distance=distance) -> np.ndarray:
            return search(q, x, depth, distance).rows

        found = find()
        some = np.arange(0, queries, queries // 5)
        agree = (found[some] == brute_force(q[some], x, depth, distance)).all()
        one, other, ratio = in_turn(find, products, rounds)
        label = f"search, {queries:,} x {rows:,}, {name}, k = {depth}: GFLOP/s"
        out.append(
            Row(
                label,
                "sgemm alone",
                work / one,
                work / other,
                ratio,
                goal if not quick else None,
                bool(agree),
            )
        )
    return out


def brute_force(q: np.ndarray, x: np.ndarray, depth: int, distance: str) -> np.ndarray:
    q64, x64 = q.astype(np.float64), x.astype(np.float64)
    scores = q64 @ x64.T
    if distance == "cosine":
        scores /= np.linalg.norm(x64, axis=1)
    elif distance == "euclidean":
        scores = 2 * scores - (x64**2).sum(axis=1)
    return np.argsort(-scores, axis=1, kind="stable")[:, :depth]


def growth(quick: bool) -> list[Row]:
    """An index that is made block by block: seconds a row, and memory, as it grows."""
    sizes = [50_000, 100_000] if quick else [100_000, 200_000, 400_000, 1_000_000]
    queries, rounds = (200, 1) if quick else (1_000, 3)
    runs = [{rows: in_child("growth", rows, queries) for rows in sizes} for _ in range(rounds)]
    first, out = sizes[0], []
    for rows in sizes[1:]:
        ratios = [run[first]["seconds"] / first / (run[rows]["seconds"] / rows) for run in runs]
        one = np.median([run[rows]["seconds"] for run in runs]) / rows * 1e6
        other = np.median([run[first]["seconds"] for run in runs]) / first * 1e6
        name, peer = f"growth, {queries:,} x {rows:,}: ", f"{first:,} rows"
        goal = None if quick else 0.9
        ratio = float(np.median(ratios))
        out.append(Row(f"{name}seconds a million rows", peer, one, other, ratio, goal, None))
        one, other = (np.median([run[n]["megabytes"] for run in runs]) for n in (rows, first))
        out.append(Row(f"{name}extra MB", peer, one, other, other / one, goal, None))
    return out


def relevance(quick: bool) -> list[Row]:
    """100,000 queries and 1,000,000 documents, by 1,000 labels and by ten judgments a query."""
    from nearer.evaluation.relevance import JudgedRelevance, LabelRelevance

    queries, rows, classes, depth = 100_000, 1_000_000, 1_000, 20
    rng = np.random.default_rng(0)
    found, every = rng.integers(0, rows, (queries, depth)), np.arange(queries)
    labels = rng.integers(0, classes, queries), rng.integers(0, classes, rows)
    pairs = rng.integers(0, queries, 10 * queries), rng.integers(0, rows, 10 * queries)
    grades = rng.integers(0, 4, 10 * queries)
    out = []
    for name, make in (
        ("1,000 labels", lambda: LabelRelevance(*labels, classes)),
        ("a million judgments", lambda: JudgedRelevance(queries, *pairs, grades)),
    ):

        def judge(make: Callable = make) -> None:
            judged = make()
            judged.gains(every, found)
            judged.ideal(every, depth)

        took = float(np.median([seconds(judge) for _ in range(3)]))
        tracemalloc.start()
        judge()
        megabytes = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        label = f"relevance, 100,000 x 1,000,000, {name} ({took:.2f} s): MB"
        matrix = queries * rows / 2**20
        out.append(
            Row(label, "bytes of all pairs", megabytes, matrix, matrix / megabytes, None, None)
        )
    return out


MEASURES = {
    "scoring": scoring,
    "sgemm": sgemm,
    "growth": growth,
    "metrics": metrics,
    "relevance": relevance,
    "whole": whole,
}


def measure(arguments: argparse.Namespace) -> list[Row]:
    chosen = arguments.only.split(",") if arguments.only else list(MEASURES)
    unknown = sorted(set(chosen) - set(MEASURES))
    if unknown:
        raise SystemExit(f"--only: no {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    options = {"whole": {"stride": int(arguments.stride)}}
    return [
        row for name in chosen for row in MEASURES[name](arguments.quick, **options.get(name, {}))
    ]


if __name__ == "__main__":
    main("evaluation", measure, only="", stride=1)
