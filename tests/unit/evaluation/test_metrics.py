"""Worked cases of the metrics, and the registry."""

import numpy as np
import pytest

from nearer.errors import UnknownName, UsageError
from nearer.evaluation.metrics import (
    METRICS,
    RankedHits,
    choose,
    compute_metrics,
    metric,
    metric_keys,
)
from nearer.evaluation.relevance import JudgedRelevance

NINE = (
    "average_precision dcg_at_k f1_score_at_k hit_at_k ndcg_at_k precision_at_k r_precision "
    "recall_at_k reciprocal_rank"
).split()


def ranked(gains: list[float], ideal: list[float], returned: int | None = None) -> RankedHits:
    relevant = sum(g > 0 for g in ideal)
    return RankedHits(
        gains=np.array([gains], dtype=np.float64),
        returned=np.array([len(gains) if returned is None else returned]),
        relevant=np.array([relevant]),
        ideal=np.array([ideal + [0.0] * 20]),
    )


def check(hits: RankedHits, k: int, definitions: str, expected: dict[str, float]) -> None:
    values = compute_metrics(hits, k, metrics=list(expected), definitions=definitions)
    for name, value in expected.items():
        assert values[name][0] == pytest.approx(value, abs=5e-5), name


def test_the_worked_case() -> None:
    """Judgments a1 b2 c3 d1 e1, ranking x b c, k = 3 (reference/evaluation.md)."""
    hits = ranked([0, 2, 3, 0, 0], [3, 2, 1, 1, 1], returned=3)
    check(
        hits,
        3,
        "trec",
        {
            "average_precision": 0.2333,
            "ndcg_at_k": 0.5800,
            "dcg_at_k": 2.7619,
            "precision_at_k": 0.6667,
            "recall_at_k": 0.4,
            "f1_score_at_k": 0.5,
            "reciprocal_rank": 0.5,
            "hit_at_k": 1,
            "r_precision": 0.4,
        },
    )


def test_the_docarray_case_under_both_definitions() -> None:
    """rel = 0 1 0 0 1 with R = 3 (reference/finetuner.md)."""
    hits = ranked([0, 1, 0, 0, 1], [1, 1, 1])
    old = {
        "average_precision": 0.45,
        "precision_at_k": 0.4,
        "reciprocal_rank": 0.5,
        "recall_at_k": 0.6667,
        "f1_score_at_k": 0.5,
        "dcg_at_k": 1.4307,
        "ndcg_at_k": 0.7153,
        "r_precision": 0.4,
        "hit_at_k": 1,
    }
    assert list(old) != NINE
    assert sorted(old) == NINE
    check(hits, 5, "docarray", old)
    check(hits, 20, "docarray", old)  # a list of five: min(k, length)
    third = {"precision_at_k": 0.3333, "recall_at_k": 0.3333, "dcg_at_k": 1.0, "ndcg_at_k": 0.5}
    assert third.pop("ndcg_at_k") == 0.5  # docarray sorted the whole list; ours is cut at k first
    check(hits, 3, "docarray", third)
    trec = {"average_precision": 0.30, "ndcg_at_k": 0.4776, "r_precision": 0.3333}
    check(hits, 5, "trec", trec)
    check(hits, 10, "trec", {"precision_at_k": 0.2})


def test_docarray_does_not_tell_ranks_1_and_2_apart() -> None:
    check(ranked([0, 1], [1]), 2, "docarray", {"dcg_at_k": 1, "ndcg_at_k": 1})
    check(ranked([1, 0], [1]), 2, "docarray", {"dcg_at_k": 1, "ndcg_at_k": 1})


@pytest.mark.parametrize("definitions", ["trec", "docarray"])
def test_T37_queries_with_nothing_relevant_or_nothing_found_count_0(definitions) -> None:
    nothing = ranked([0, 0, 0], [])
    short = ranked([0, 0, 0], [1], returned=0)
    for hits in (nothing, short):
        values = compute_metrics(hits, 3, [1], definitions=definitions)
        assert all(v.tolist() == [0.0] for v in values.values())


def test_keys_are_declared_before_anything_is_computed() -> None:
    keys = metric_keys(20, [1, 10])
    assert [key for key in keys if "@" not in key] == NINE
    assert {"ndcg@10", "hit@1", "f1_score@10", "dcg@1", "average_precision@10"} <= set(keys)
    assert not [key for key in keys if key.startswith("r_precision@")]
    assert set(keys.values()) == {"max"}
    assert list(metric_keys(20, [], "docarray")) == NINE


def test_what_is_refused() -> None:
    with pytest.raises(UnknownName, match='Did you mean "ndcg_at_k"'):
        metric_keys(20, metrics=["ndgc_at_k"])
    with pytest.raises(UnknownName, match="choose trec or docarray"):
        choose("ranx")
    for k in (0, -1, 1.5, True):
        with pytest.raises(UsageError, match="at least 1"):
            metric_keys(20, [k])  # type: ignore[list-item]
        with pytest.raises(UsageError, match="limit"):
            metric_keys(k)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="R is up to 4, and only the top 3"):
        compute_metrics(ranked([1, 1, 1], [1] * 4), 3)


def test_a_metric_of_ones_own_appears_everywhere() -> None:
    try:

        @metric(direction="min")
        def misses_at_k(hits: RankedHits, k: int) -> np.ndarray:
            return k - hits.hits(k)

        hits = ranked([1, 0, 0], [1])
        for definitions in ("trec", "docarray"):
            keys = metric_keys(3, [2], definitions)
            assert keys["misses_at_k"] == keys["misses@2"] == "min"
            values = compute_metrics(hits, 3, [2], definitions=definitions)
            assert values["misses_at_k"].tolist() == [2.0]
            assert values["misses@2"].tolist() == [1.0]
    finally:
        METRICS.pop("misses_at_k", None)


def test_a_name_that_is_taken_a_wrong_direction_and_a_wrong_shape() -> None:
    def ndcg_at_k(hits: RankedHits, k: int) -> np.ndarray:
        return np.zeros(3)

    with pytest.raises(UsageError, match=r"nearer\.evaluation\.retrieval"):
        metric("max")(ndcg_at_k)
    with pytest.raises(UsageError, match='"max" or "min"'):
        metric("up")  # type: ignore[arg-type]
    try:

        @metric("max")
        def wrong(hits: RankedHits, k: int) -> np.ndarray:
            return np.zeros((1, 2))

        @metric("max")
        def wrong(hits: RankedHits, k: int) -> np.ndarray:  # noqa: F811  a cell that is run again
            return np.zeros((1, 3))

        with pytest.raises(UsageError, match=r'"wrong" gave shape \(1, 3\)'):
            compute_metrics(ranked([1], [1]), 1)
    finally:
        METRICS.pop("wrong", None)


def test_judged_but_never_found_counts_in_r() -> None:
    relevance = JudgedRelevance(1, np.array([0, 0]), np.array([0, 7]), np.array([1, 1]))
    rows = np.array([[0, 3, -1]])
    queries = np.array([0])
    hits = RankedHits(
        relevance.gains(queries, rows),
        np.array([2]),
        relevance.counts,
        relevance.ideal(queries, 3),
    )
    assert compute_metrics(hits, 3)["recall_at_k"].tolist() == [0.5]
