"""EvaluationCallback: keys, faults at the door, notes, and two of them side by side."""

import logging

import numpy as np
import pytest
from support.recorder import Recorder
from support.toy import LABELLED, toy_encoder, toy_fit

from nearer.callbacks import EarlyStopping, EvaluationCallback, LambdaCallback
from nearer.errors import DataError, MetricNotReported, NearerError, SpecError
from nearer.loop.state import StopKind

NINE = (
    "average_precision dcg_at_k f1_score_at_k hit_at_k ndcg_at_k precision_at_k r_precision "
    "recall_at_k reciprocal_rank"
).split()
QUERIES = [{"id": f"q{i}", "text": r["text"]} for i, r in enumerate(LABELLED[:4])]
INDEX = [{"id": f"d{i}", "text": f"{r['text']} for winter"} for i, r in enumerate(LABELLED)]
QRELS = [{"query-id": f"q{i}", "corpus-id": f"d{i}", "score": 1} for i in range(4)]


def labels(**options):
    return EvaluationCallback(LABELLED, **{"limit": 3, **options})


def test_every_point_has_the_nine_metrics_under_the_models_name():
    result = toy_fit(labels(), model_name="letters")
    assert len(result.history) == 3
    for point in result.history:
        ours = {key for key in point.metrics if key != "train_loss"}
        assert ours == {f"letters_{name}" for name in NINE}
        assert all(0 <= point.metrics[key] <= 1 for key in ours if key[8:] != "dcg_at_k")


def test_what_it_declares_is_what_it_returns():
    callback = labels(name="mine", cutoffs=[1, 2])
    seen = []
    toy_fit(callback, LambdaCallback(on_metrics=lambda ctx: seen.append(dict(ctx.metrics))))
    declared = {metric.key: metric for metric in callback.produces("letters")}
    assert declared.keys() == seen[0].keys()
    assert declared["mine_ndcg_at_k"].bare == "ndcg_at_k"
    assert declared["mine_ndcg@1"].bare == "ndcg@1"
    assert {metric.direction for metric in declared.values()} == {"max"}
    assert callback.prefix("letters") == "mine"


def test_the_whole_result_is_kept():
    callback = labels()
    result = toy_fit(callback)
    for name in NINE:
        assert callback.result.metrics[name] == result.history[-1].metrics[f"model_{name}"]


def test_qrels_and_an_index():
    callback = EvaluationCallback(QUERIES, INDEX, QRELS, limit=10)
    result = toy_fit(callback)
    assert result.history[0].metrics["model_recall_at_k"] == 1.0


def test_it_evaluates_the_weights_of_the_point():
    """Against an evaluation by hand, at epoch 0 and at the end."""
    encoder, callback, by_hand = toy_encoder(), labels(limit=1), []

    def nearest(ctx):
        found = encoder.module(encoder.module.prepare([r["text"] for r in LABELLED]))
        unit = (found / found.norm(dim=1, keepdim=True)).detach().double().numpy()
        scores = unit @ unit.T
        np.fill_diagonal(scores, -2)
        best = scores.argmax(1)
        hits = [LABELLED[i]["label"] == LABELLED[j]["label"] for i, j in enumerate(best)]
        by_hand.append(np.mean(hits))

    result = toy_fit(callback, LambdaCallback(on_evaluate=nearest), encoder=encoder)
    assert [p.metrics["model_hit_at_k"] for p in result.history] == pytest.approx(by_hand)


@pytest.mark.parametrize("order", [1, -1], ids=["evaluation first", "stopping first"])
def test_T26_both_orders_with_early_stopping_stop_at_the_same_epoch(order):
    # limit is the whole index, so recall is 1 from the beginning and never rises.
    callbacks = [labels(limit=99), EarlyStopping("recall_at_k", patience=2)][::order]
    result = toy_fit(*callbacks, epochs=5)
    assert (result.epochs_run, result.kept.epoch) == (2, 0)
    assert result.stop_reason.kind is StopKind.PATIENCE


def test_T27_two_evaluations_live_side_by_side():
    one = labels(name="labels")
    two = EvaluationCallback(QUERIES, INDEX, QRELS, name="qrels", limit=2)
    result = toy_fit(one, two, EarlyStopping("qrels_ndcg_at_k"))
    for point in result.history:
        assert {f"{n}_ndcg_at_k" for n in ("labels", "qrels")} <= point.metrics.keys()
    assert one.result.metrics != two.result.metrics
    with pytest.raises(MetricNotReported, match="choose one: labels_ndcg_at_k, qrels_ndcg_at_k"):
        toy_fit(one, two, EarlyStopping("ndcg_at_k"))
    with pytest.raises(
        SpecError, match=r'"model_average_precision" and 8 more: reported by two .*name="…"'
    ):
        toy_fit(labels(), labels())


def test_T25_one_callback_serves_two_fits():
    callback, recorder = labels(), Recorder()
    first = toy_fit(callback, recorder, encoder=toy_encoder(0))
    second = toy_fit(callback, encoder=toy_encoder(0))
    assert first.history == second.history


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"query_data": "nowhere.jsonl"}, "nowhere.jsonl"),
        ({"query_data": [{"text": "a", "label": ""}, {"text": "", "label": "b"}]}, "row"),
        ({"query_data": QUERIES, "index_data": "gone.csv", "qrels": QRELS}, "gone.csv"),
        ({"query_data": QUERIES, "index_data": INDEX, "qrels": "gone.tsv"}, "gone.tsv"),
        ({"query_data": QUERIES}, "label"),
        ({"query_data": LABELLED, "limit": 0}, "limit"),
        ({"query_data": LABELLED, "cutoffs": [0]}, "cutoff"),
        ({"query_data": LABELLED, "definitions": "trek"}, "trek"),
        ({"query_data": None}, "query_data"),
    ],
)
def test_faults_of_the_data_show_at_the_door(options, says):
    with pytest.raises(NearerError, match=says) as caught:
        EvaluationCallback(**options).check()
    assert caught.value.exit_code == 2


def test_rows_that_cannot_be_used_are_skipped_on_request_and_counted(caplog):
    rows = [*LABELLED, {"id": "x", "text": "", "label": "r"}]
    with pytest.raises(DataError):
        EvaluationCallback(rows).check()
    with caplog.at_level(logging.WARNING, "nearer"):
        toy_fit(EvaluationCallback(rows, limit=3, on_bad_row="skip"), epochs=1)
    assert "1 rows left out" in caplog.text


def test_notes_are_said_when_the_fit_begins(caplog):
    callback = EvaluationCallback(QUERIES, INDEX, QRELS[:2], limit=50)
    with caplog.at_level(logging.WARNING, "nearer"):
        callback.check()
        assert caplog.records == []
        toy_fit(callback, epochs=1)
    assert [record.message for record in caplog.records] == [
        "nothing in the index is relevant to 2 of 4 queries; they count 0 in every mean",
        "limit is 50, but the index has 10 rows; all are ranked",
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"query_sample_size": 0}, "query_sample_size: 0; must be at least 1"),
        ({"every": 1.5}, r"every: 1\.5; must be a whole number"),
        ({"num_example_queries": 0}, "num_example_queries: 0; must"),
        ({"sample_seed": -1}, "sample_seed: -1; must be at least 0"),
        ({"memory_budget": "lots"}, "memory_budget is 'lots'; give a number of bytes"),
    ],
)
def test_arguments_out_of_range(options, says):
    with pytest.raises(SpecError, match=f"^EvaluationCallback.{says}"):
        labels(**options)
    with pytest.raises(SpecError, match=says) as caught:
        labels(**{"every": -3, **options}, limit=3)
    assert len(caught.value.faults) == (1 if "every" in options else 2)


def test_the_memory_budget_reaches_the_search(monkeypatch):
    from nearer.callbacks import evaluation

    seen, evaluate = [], evaluation.evaluate

    def spy(*args, memory_budget, **options):
        seen.append(memory_budget)
        return evaluate(*args, memory_budget=memory_budget, **options)

    monkeypatch.setattr(evaluation, "evaluate", spy)
    toy_fit(labels(memory_budget="2MiB"), epochs=1)
    toy_fit(labels(), epochs=1)
    assert seen == [2 << 20] * 2 + [1 << 30] * 2


def test_a_sample_is_the_same_at_every_point_and_its_metrics_are_those_of_its_queries(caplog):
    whole, sample = labels(name="all"), labels(name="some", query_sample_size=4)
    compared = []

    def compare(ctx):
        rows = sample.evaluation_set.asking
        for name, values in whole.result.per_query.items():
            np.testing.assert_array_equal(sample.result.per_query[name], values[rows])
        compared.append(rows.tolist())

    with caplog.at_level(logging.WARNING, "nearer"):
        result = toy_fit(whole, sample, LambdaCallback(on_metrics=compare))
    assert len(compared) == 3
    assert compared[0] == compared[1] == compared[2]
    assert sample.result.queries == 4
    assert sample.result.index == len(LABELLED)
    assert result.history[0].metrics["some_recall_at_k"] != 0
    assert "4 of 10 queries ask, drawn with seed 42" in caplog.text


def test_where_it_is_not_its_turn_nothing_is_reported(tmp_path):
    from nearer.callbacks import CSVLogger

    callback, results = labels(every=3), []
    note = LambdaCallback(on_metrics=lambda ctx: results.append(callback.result is not None))
    logger = CSVLogger(tmp_path / "metrics.csv")
    result = toy_fit(callback, note, logger, EarlyStopping("ndcg_at_k", patience=9), epochs=5)
    measured = ["model_ndcg_at_k" in point.metrics for point in result.history]
    assert measured == results == [True, False, False, True, False, True]
    assert "model_ndcg_at_k" in result.kept.metrics
    header, *lines = (line.split(",") for line in (tmp_path / "metrics.csv").read_text().split())
    column = header.index("model_ndcg_at_k")
    assert [bool(line[column]) for line in lines] == measured


def test_a_stop_by_another_metric_leaves_no_metric_out():
    stop = LambdaCallback(on_metrics=lambda ctx: ctx.request_stop("enough") if ctx.step else None)
    callback = labels(every=4)
    result = toy_fit(callback, stop, epochs=5)
    assert [p.epoch for p in result.history] == [0, 1, 1]
    assert result.kept.metrics["model_ndcg_at_k"] == callback.result.metrics["ndcg_at_k"]


def test_a_signal_ends_a_long_evaluation():
    from support.faults import signal_at

    from nearer.errors import Interrupted

    with pytest.raises(Interrupted) as caught:
        toy_fit(labels(), signal=signal_at(1))
    assert caught.value.result.history == ()
    assert not hasattr(caught.value, "__notes__")


def test_both_directions_are_reported_and_the_bare_name_is_the_first():
    callback = EvaluationCallback(QUERIES, INDEX[:4], QRELS, limit=1, both_directions=True)
    stopping = EarlyStopping("reverse_ndcg_at_k", patience=1)
    result = toy_fit(callback, stopping, EarlyStopping("ndcg_at_k", restore_best=False))
    declared = {metric.key for metric in callback.produces("model")}
    assert declared == result.history[-1].metrics.keys() - {"train_loss"}
    assert "model_reverse_ndcg_at_k" in declared
    assert len(declared) == 18
