"""Laws that hold for every metric there is, and agreement with trec_eval and ranx."""

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from property.strategies import Case, cases

from nearer.evaluation.metrics import DOCARRAY_METRICS, METRICS, compute_metrics, metric_keys

TREC = {
    "average_precision": "map_cut_{k}",
    "hit_at_k": "success_{k}",
    "ndcg_at_k": "ndcg_cut_{k}",
    "precision_at_k": "P_{k}",
    "recall_at_k": "recall_{k}",
    "r_precision": "Rprec",
}
MEASURES = {"map_cut", "success", "ndcg_cut", "P", "recall"}
TABLES = {"trec": METRICS, "docarray": DOCARRAY_METRICS}
EVERY = [(d, name) for d, table in TABLES.items() for name in table]


@given(case=cases(), k=st.integers(1, 30))
def test_metrics_agree_with_trec_eval(case: Case, k: int) -> None:
    values = compute_metrics(case.hits(), k)
    deep = {f"{name}.{k}" for name in MEASURES} | {"Rprec"}
    judge = pytrec_eval.RelevanceEvaluator(case.qrels(), deep)
    theirs = judge.evaluate(case.run())
    cut = {q: dict(list(docs.items())[:k]) for q, docs in case.run().items()}
    reciprocal = pytrec_eval.RelevanceEvaluator(case.qrels(), {"recip_rank"}).evaluate(cut)
    for query in range(len(case.rows)):
        # trec_eval leaves out a query with no judgments or no hits; ours counts it as 0.
        theirs_q = theirs.get(f"q{query}", {})
        for name, measure in TREC.items():
            expected = theirs_q.get(measure.format(k=k), 0.0)
            assert values[name][query] == pytest.approx(expected, abs=1e-9), name
        expected = reciprocal.get(f"q{query}", {}).get("recip_rank", 0.0)
        assert values["reciprocal_rank"][query] == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
@given(case=cases(), k=st.integers(1, 30))
@settings(deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_dcg_and_f1_agree_with_ranx(case: Case, k: int) -> None:
    """Against ranx's functions of one query; its `evaluate` compiles for a minute around them."""
    from ranx.metrics.f1 import _f1
    from ranx.metrics.ndcg import _dcg

    values = compute_metrics(case.hits(), k)
    for query, row in enumerate(case.rows):
        found = row[row >= 0]
        run = np.column_stack([found, np.arange(len(found), 0, -1)]).astype(np.float64)
        by_grade = sorted(case.judged[query].items(), key=lambda pair: -pair[1])
        qrels = np.array(by_grade, dtype=np.float64).reshape(-1, 2)
        if len(run) and len(qrels):
            assert values["dcg_at_k"][query] == pytest.approx(_dcg(qrels, run, k, 1, True))
            assert values["f1_score_at_k"][query] == pytest.approx(_f1(qrels, run, k, 1))


@pytest.mark.parametrize(("definitions", "name"), EVERY)
@given(case=cases(), k=st.integers(1, 30))
@settings(max_examples=25)
def test_metrics_lie_between_0_and_1(definitions: str, name: str, case: Case, k: int) -> None:
    values = compute_metrics(case.hits(), k, metrics=[name], definitions=definitions)[name]
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    if name != "dcg_at_k":
        assert (values <= 1 + 1e-12).all()
    assert (values[case.hits().relevant == 0] == 0).all()


@pytest.mark.parametrize(("definitions", "name"), EVERY)
@given(relevant=st.integers(1, 20), others=st.integers(0, 20), grade=st.integers(1, 3))
@settings(max_examples=25)
def test_a_perfect_ranking_scores_1(
    definitions: str, name: str, relevant: int, others: int, grade: int
) -> None:
    rows = np.arange(relevant + others)[None]
    case = Case(rows, {0: dict.fromkeys(range(relevant), grade)})
    value = compute_metrics(case.hits(), relevant, metrics=[name], definitions=definitions)[name]
    if name == "dcg_at_k":
        assert value[0] >= 1
    else:
        assert value[0] == pytest.approx(1)


@pytest.mark.parametrize(("definitions", "name"), EVERY)
@given(case=cases(), k=st.integers(1, 30), data=st.data())
@settings(max_examples=25)
def test_metrics_do_not_depend_on_how_documents_are_numbered(
    definitions: str, name: str, case: Case, k: int, data: st.DataObject
) -> None:
    new = np.array(data.draw(st.permutations(range(case.rows.shape[1]))))
    renamed = Case(
        np.where(case.rows >= 0, new[case.rows], -1),
        {q: {int(new[d]): g for d, g in docs.items()} for q, docs in case.judged.items()},
    )
    before = compute_metrics(case.hits(), k, metrics=[name], definitions=definitions)[name]
    after = compute_metrics(renamed.hits(), k, metrics=[name], definitions=definitions)[name]
    np.testing.assert_array_equal(before, after)


@given(case=cases(), k=st.integers(1, 25), cutoff=st.integers(1, 30))
def test_a_cutoff_is_the_metric_at_that_limit(case: Case, k: int, cutoff: int) -> None:
    both = compute_metrics(case.hits(), k, cutoffs=[cutoff])
    alone = compute_metrics(case.hits(), cutoff)
    assert list(both) == list(metric_keys(k, [cutoff]))
    for name, metric in METRICS.items():
        if metric.takes_cutoff:
            np.testing.assert_array_equal(both[metric.at(cutoff)], alone[name])


@given(size=st.integers(1, 30), limit=st.integers(1, 30), data=st.data())
def test_docarray_identities_with_one_relevant_document(
    size: int, limit: int, data: st.DataObject
) -> None:
    """Those of the log in the document that asked for this: reference/using-callbacks.txt."""
    place = data.draw(st.integers(0, size - 1))
    values = compute_metrics(
        Case(np.arange(size)[None], {0: {place: 1}}).hits(limit), limit, definitions="docarray"
    )
    assert values["r_precision"] == values["average_precision"] == values["reciprocal_rank"]
    assert values["recall_at_k"] == values["hit_at_k"]
    assert values["precision_at_k"] == pytest.approx(values["hit_at_k"] / min(limit, size))
