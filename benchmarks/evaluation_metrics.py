"""The nine metrics, from rows that were found, against trec_eval's own code and ranx."""

import statistics

import numpy as np
from common import Row
from evaluation_data import K, in_turn, seconds

TREC = {
    "average_precision": f"map_cut_{K}",
    "hit_at_k": f"success_{K}",
    "ndcg_at_k": f"ndcg_cut_{K}",
    "precision_at_k": f"P_{K}",
    "r_precision": "Rprec",
    "recall_at_k": f"recall_{K}",
    "reciprocal_rank": "recip_rank",
}
RANX = {
    "average_precision": f"map@{K}",
    "dcg_at_k": f"dcg@{K}",
    "f1_score_at_k": f"f1@{K}",
    "hit_at_k": f"hit_rate@{K}",
    "ndcg_at_k": f"ndcg@{K}",
    "precision_at_k": f"precision@{K}",
    "r_precision": "r-precision",
    "recall_at_k": f"recall@{K}",
    "reciprocal_rank": f"mrr@{K}",
}


class Ranked:
    """Rankings of `queries` over a million documents, eight graded judgments each."""

    def __init__(self, queries: int) -> None:
        from nearer.evaluation.relevance import JudgedRelevance

        rng = np.random.default_rng(0)
        self.rows = rng.permuted(np.tile(np.arange(K), (queries, 1)), axis=1)
        self.rows += 100 * rng.integers(0, 10_000, (queries, 1))
        judged = rng.permuted(np.tile(np.arange(K), (queries, 1)), axis=1)[:, :8]
        judged += self.rows.min(axis=1, keepdims=True) + K * (
            judged % 3 == 0
        )  # a third is not found
        self.judged, self.grades = judged, rng.integers(1, 4, judged.shape)
        query = np.repeat(np.arange(queries), 8)
        self.relevance = JudgedRelevance(queries, query, judged.ravel(), self.grades.ravel())
        self.every = np.arange(queries)

    def hits(self):
        """Grades in rank order."""
        from nearer.evaluation.metrics import RankedHits

        return RankedHits(
            self.relevance.gains(self.every, self.rows),
            np.full(len(self.rows), K),
            self.relevance.counts,
            self.relevance.ideal(self.every, K),
        )

    def ours(self) -> dict[str, float]:
        """From rows to means, looking up the judgments included."""
        from nearer.evaluation.metrics import compute_metrics

        return {name: float(v.mean()) for name, v in compute_metrics(self.hits(), K).items()}

    def run(self) -> dict[str, dict[str, float]]:
        """What both peers take as a run."""
        falling = [float(K - rank) for rank in range(K)]
        return {
            f"q{q}": {f"d{d}": s for d, s in zip(row, falling, strict=True)}
            for q, row in enumerate(self.rows.tolist())
        }

    def qrels(self) -> dict[str, dict[str, int]]:
        """What both peers take as judgments."""
        both = zip(self.judged.tolist(), self.grades.tolist(), strict=True)
        return {
            f"q{q}": {f"d{d}": g for d, g in zip(docs, grades, strict=True)}
            for q, (docs, grades) in enumerate(both)
        }


def metrics(quick: bool) -> list[Row]:
    """The gain matrix to values of 100,000 queries; and from rows to means, beside the peers."""
    from nearer.evaluation.metrics import RankedHits, compute_metrics

    queries = 10_000 if quick else 100_000
    hits = Ranked(queries).hits()
    times = [seconds(lambda: compute_metrics(RankedHits(**vars_of(hits)), K)) for _ in range(7)]
    took = statistics.median(times)
    goal = 0.25 * queries / 100_000
    name = f"metrics, {queries:,} queries, k = 100: seconds"
    rows = [Row(name, "goal", took, goal, goal / took, 1.0, None)]
    ranked = Ranked(1_000 if quick else 10_000)
    rows.append(trec_eval(ranked, rounds=3))
    if not quick:  # it compiles for a minute before its first answer
        rows.append(ranx(ranked, rounds=3))
    return rows


def vars_of(hits) -> dict[str, np.ndarray]:
    """The fields alone, without what was worked out from them already."""
    return {name: vars(hits)[name] for name in ("gains", "returned", "relevant", "ideal")}


def trec_eval(ranked: Ranked, rounds: int) -> Row:
    import pytrec_eval

    run, measures = ranked.run(), set(TREC.values())
    judge = pytrec_eval.RelevanceEvaluator(ranked.qrels(), measures)
    values: dict[str, dict[str, float]] = {}

    def theirs() -> None:
        values.update(judge.evaluate(run))

    mine, other, ratio = in_turn(ranked.ours, theirs, rounds)
    means = {m: sum(v[m] for v in values.values()) / len(values) for m in measures}
    return row(ranked, "trec_eval (pytrec_eval)", mine, other, ratio, TREC, means)


def ranx(ranked: Ranked, rounds: int) -> Row:
    from ranx import Qrels, Run, evaluate

    qrels, run = Qrels.from_dict(ranked.qrels()), Run.from_dict(ranked.run())
    means: dict[str, float] = {}

    def theirs() -> None:
        means.update(evaluate(qrels, run, list(RANX.values())))

    theirs()  # compiles
    mine, other, ratio = in_turn(ranked.ours, theirs, rounds)
    return row(ranked, "ranx, compiled", mine, other, ratio, RANX, means)


def row(
    ranked: Ranked,
    peer: str,
    mine: float,
    other: float,
    ratio: float,
    names: dict[str, str],
    means: dict[str, float],
) -> Row:
    values = ranked.ours()
    agree = all(abs(values[a] - means[b]) < 1e-6 for a, b in names.items())
    name = f"metrics from rows, {len(ranked.rows):,} queries, k = 100: seconds"
    return Row(name, peer, mine, other, ratio, None, agree)
