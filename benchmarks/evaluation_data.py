"""What the evaluation's benchmarks are run on, and the other programs as they are called."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common  # noqa: F401  sets the environment before torch is imported
import numpy as np

K = 100
ALIKE = {
    **{f"hit@{k}": f"accuracy@{k}" for k in (1, 3, 5, 10)},
    **{f"precision@{k}": f"precision@{k}" for k in (1, 3, 5, 10)},
    **{f"recall@{k}": f"recall@{k}" for k in (1, 3, 5, 10)},
    "reciprocal_rank@10": "mrr@10",
    "ndcg@10": "ndcg@10",
}
"""What sentence-transformers defines as we do where grades are 0 and 1; not MAP, which it divides
by min(k, R)."""


@dataclass(frozen=True)
class Case:
    """Embeddings of both sides, unit length, and relevant pairs."""

    queries: np.ndarray
    index: np.ndarray
    query_rows: np.ndarray
    index_rows: np.ndarray

    def save(self, path: Path) -> None:
        """Write it for a process of its own."""
        np.savez(path, **vars(self))

    @classmethod
    def load(cls, path: Path) -> "Case":
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(**arrays)


def real_embeddings(count: int) -> np.ndarray:
    """What MiniLM makes of first sentences of docstrings; kept in a temporary folder."""
    path = Path(tempfile.gettempdir()) / "nearer-benchmarks" / f"docstrings-{count}.npy"
    if not path.exists():
        from nearer.cli.docstrings import collect
        from nearer.encoder.embedding import encode
        from nearer.encoder.loading import load_encoder

        texts = [pair.query for pair in collect()]
        step = max(1, len(texts) // count)
        embedded = encode(load_encoder("minilm"), texts[::step][:count], "document")
        path.parent.mkdir(exist_ok=True)
        np.save(path, embedded)
    return np.load(path)


def clear_cut(case: Case, queries: int, ties: bool) -> Case:
    """So many of the queries whose order float32 can tell, so that both programs must agree.

    Their first eleven rows are copies or apart. Without `ties` the last hit and the next are apart
    too: one query with a tie there sends sentence-transformers down its slow path for all of them.
    """
    from nearer.evaluation.search import search

    gaps = -np.diff(search(case.queries, case.index, K + 1).scores, axis=1)
    clear = ((gaps == 0) | (gaps > 1e-6))[:, :11].all(axis=1)
    if not ties:
        clear &= gaps[:, K - 1] > 1e-6
    chosen = np.flatnonzero(clear)[:queries]
    if len(chosen) < queries:
        raise RuntimeError(f"only {len(chosen)} of {len(case.queries)} queries are clear-cut")
    new = np.full(len(case.queries), -1)
    new[chosen] = np.arange(queries)
    kept = new[case.query_rows] >= 0
    return Case(case.queries[chosen], case.index, new[case.query_rows[kept]], case.index_rows[kept])


def make_case(queries: int, rows: int, texts: int, duplicates: float) -> Case:
    """An index as large as it takes, out of real embeddings mixed in pairs.

    A row is the normalised mixture of two real embeddings, so that the rows spread as real ones do;
    a share of them, drawn at random, are copies of others. Each query is a mixture of its own, near
    one row: that row and all its copies are relevant to it.
    """
    rng = np.random.default_rng(0)
    real = real_embeddings(texts)

    def mixed(n: int) -> np.ndarray:
        share = rng.uniform(0.5, 1, (n, 1)).astype(np.float32)
        x = share * real[rng.integers(0, len(real), n)]
        x += (1 - share) * real[rng.integers(0, len(real), n)]
        return unit(x)

    distinct = rows - int(duplicates * rows)
    source = np.r_[np.arange(distinct), rng.integers(0, distinct, rows - distinct)]
    rng.shuffle(source)
    base = mixed(distinct)
    target = rng.choice(distinct, queries, replace=queries > distinct)
    near = unit(base[target] + 0.7 * mixed(queries))
    order = np.argsort(source, kind="stable")
    starts = np.searchsorted(source[order], np.arange(distinct + 1))
    copies = np.diff(starts)[target]
    query_rows = np.repeat(np.arange(queries), copies)
    nth = np.arange(len(query_rows)) - np.repeat(np.cumsum(copies) - copies, copies)
    return Case(near, base[source], query_rows, order[starts[target][query_rows] + nth])


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def ours(case: Case) -> Callable[[], dict[str, float]]:
    """Get ready, untimed; the function that is returned is what is timed."""
    from nearer.evaluation.relevance import JudgedRelevance
    from nearer.evaluation.scoring import score

    grades = np.ones(len(case.query_rows))
    relevance = JudgedRelevance(len(case.queries), case.query_rows, case.index_rows, grades)
    return lambda: (
        score(case.queries, case.index, relevance, limit=K, cutoffs=[1, 3, 5, 10]).metrics
    )


def sentence_transformers(case: Case) -> Callable[[], dict[str, float]]:
    """Its InformationRetrievalEvaluator as it is; the model only hands over the embeddings."""
    import torch
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
    from sentence_transformers.util import cos_sim

    relevant: dict[str, set[str]] = {}
    for query, row in zip(case.query_rows.tolist(), case.index_rows.tolist(), strict=True):
        relevant.setdefault(f"q{query:06}", set()).add(f"d{row:07}")  # sorts as the rows do
    evaluator = InformationRetrievalEvaluator(
        {f"q{i:06}": "" for i in range(len(case.queries))},
        {f"d{i:07}": "" for i in range(len(case.index))},
        relevant,
        map_at_k=[K],
        score_functions={"cosine": cos_sim},
        write_csv=False,
    )
    queries, index = torch.from_numpy(case.queries), torch.from_numpy(case.index)

    class Model:
        def encode_query(self, *arguments: Any, **options: Any) -> torch.Tensor:
            return queries

    def evaluate() -> dict[str, float]:
        values = evaluator.compute_all_metrics(Model(), corpus_embeddings=index)["cosine"]
        return {
            f"{name.removesuffix('@k')}@{k}": float(value)
            for name, at in values.items()
            for k, value in at.items()
        }

    return evaluate


def alike(mine: dict[str, float], other: dict[str, float]) -> bool:
    """Whether the metrics that both define alike are equal to 1e-6."""
    return all(abs(mine[a] - other[b]) < 1e-6 for a, b in ALIKE.items())


def in_turn(
    first: Callable[[], Any], second: Callable[[], Any], rounds: int
) -> tuple[float, float, float]:
    """Median seconds of both, run in turn, and the median of (second / first)."""
    times = []
    for _ in range(rounds):
        times.append((seconds(first), seconds(second)))
    one, other = zip(*times, strict=True)
    ratio = statistics.median(b / a for a, b in times)
    return statistics.median(one), statistics.median(other), ratio


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Streamed:
    """An index of any size that is made block by block; counts the seconds that making takes."""

    def __init__(self, rows: int, dimension: int = 384, block: int = 1 << 14) -> None:
        self.rows, self.block, self.seconds = rows, block, 0.0
        shape = (min(block, rows), dimension)
        self._pool = unit(np.random.default_rng(1).standard_normal(shape, dtype=np.float32))

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for number, start in enumerate(range(0, self.rows, self.block)):
            began = time.perf_counter()
            rows = np.roll(self._pool[: self.rows - start], number, axis=1)
            self.seconds += time.perf_counter() - began
            yield start, rows
