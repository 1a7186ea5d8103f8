"""EarlyStopping in a real fit; the rule itself is in test_monitor.py."""

import json
import math

import pytest
from support.recorder import Values
from support.toy import ToyBatches, same, toy_encoder, toy_fit, weights_of

from nearer.callbacks import EarlyStopping, LambdaCallback
from nearer.errors import MetricNotReported, SpecError
from nearer.loop.state import StopKind


def fit(values, *more, direction="max", encoder=None, **options):
    stopping = EarlyStopping("score", **options)
    return toy_fit(
        stopping,
        Values(values, direction=direction),
        *more,
        encoder=encoder,
        epochs=len(values) - 1,
    )


def test_it_stops_and_says_why():
    result = fit([0.1, 0.71, 0.7, 0.6, 0.9])
    assert result.epochs_run == 3
    assert result.stop_reason.kind is StopKind.PATIENCE
    assert result.stop_reason.detail == (
        "score has not improved for 2 evaluations (best 0.71000 at epoch 1)"
    )


@pytest.mark.parametrize(
    ("values", "options", "kind", "detail"),
    [
        ([0.5, 0.4], {"patience": 1}, "patience", "score has not improved for 1 evaluation (best"),
        ([0.1, 0.95, 0.2], {"stopping_threshold": 0.9}, "threshold", "score is 0.95000, at or pas"),
        ([0.1, math.nan, 0.2], {}, "non_finite", "score is nan"),
        ([math.nan, 0.2], {}, "non_finite", "score is nan"),
    ],
)
def test_each_reason(values, options, kind, detail):
    reason = fit(values, **options).stop_reason
    assert reason.kind == kind
    assert reason.detail.startswith(detail)


def test_the_best_model_is_handed_back_when_it_stopped_and_when_it_ran_to_the_end():
    for values, best in (([0.1, 0.9, 0.5, 0.4], 1), ([0.1, 0.2, 0.9, 0.8], 2)):
        encoder, seen = toy_encoder(), []
        note = LambdaCallback(on_metrics=lambda ctx, seen=seen: seen.append(ctx.weights()))
        result = fit(values, note, encoder=encoder)
        assert result.kept.epoch == best
        assert same(weights_of(encoder), seen[best])


def test_restore_best_false_leaves_the_last():
    encoder, seen = toy_encoder(), []
    note = LambdaCallback(on_metrics=lambda ctx: seen.append(ctx.weights()))
    result = fit([0.1, 0.9, 0.5, 0.4], note, encoder=encoder, restore_best=False)
    assert result.kept.epoch == 3
    assert same(weights_of(encoder), seen[-1])


def test_a_gain_too_small_to_count_is_still_handed_back():
    result = fit([0.5, 0.5625, 0.5], min_delta=0.25)
    assert (result.stop_reason.kind, result.kept.epoch) == (StopKind.PATIENCE, 1)


@pytest.mark.parametrize(
    ("direction", "mode", "best"), [("min", "auto", 1), ("max", "auto", 2), ("max", "min", 1)]
)
def test_T28_the_direction_is_what_the_metric_declares_or_the_user_says(direction, mode, best):
    assert fit([0.5, 0.1, 0.9], direction=direction, mode=mode).kept.epoch == best


def test_a_loss_is_watched_downwards():
    result = toy_fit(EarlyStopping("train_loss", patience=1), epochs=4)
    losses = [p.metrics["train_loss"] for p in result.history[1:]]
    assert result.kept.metrics["train_loss"] == min(losses)


def test_train_loss_is_not_there_at_epoch_0_and_that_is_no_fault():
    assert toy_fit(EarlyStopping("train_loss"), epochs=1).kept.epoch == 1


def test_without_a_name_it_watches_ndcg_else_val_loss():
    ndcg = Values([0.1, 0.9, 0.5], name="ndcg_at_k")
    assert toy_fit(EarlyStopping(), ndcg, val=ToyBatches(3)).kept.epoch == 1
    result = toy_fit(EarlyStopping(), val=ToyBatches(3), epochs=3)
    losses = [p.metrics["val_loss"] for p in result.history]
    assert result.kept.epoch == losses.index(min(losses))


def test_T22_no_value_to_watch_is_an_error_not_a_silent_stop():
    with pytest.raises(MetricNotReported, match="val_loss needs held-out rows"):
        toy_fit(EarlyStopping())


def test_T23_patience_0_is_refused():
    with pytest.raises(SpecError, match=r"EarlyStopping.patience: 0; must be at least 1"):
        EarlyStopping(patience=0)


def test_T24_a_baseline_is_cleared_once():
    result = fit([0.6, 0.59, 0.58, 0.57], baseline=0.5)
    assert (result.epochs_run, result.kept.epoch) == (2, 0)


def test_all_wrong_arguments_are_listed():
    with pytest.raises(SpecError) as caught:
        EarlyStopping(mode="up", patience=-1, min_delta=math.nan, start_from_epoch=-2)
    assert [f.split(":")[0] for f in caught.value.faults] == [
        "EarlyStopping.mode",
        "EarlyStopping.patience",
        "EarlyStopping.min_delta",
        "EarlyStopping.start_from_epoch",
    ]


def test_T31_its_state_is_plain_and_counting_goes_on_from_it():
    states = []
    stopping = EarlyStopping("score", patience=2)
    values = [0.5, 0.6, 0.55, 0.54]
    note = LambdaCallback(on_epoch_end=lambda ctx: states.append(stopping.state_dict()))
    toy_fit(stopping, Values(values), note, epochs=3)
    kept = states[1].pop("kept")  # after epoch 2
    assert kept["point"]["epoch"] == 1
    assert set(kept["weights"]) == {"linear.weight", "linear.bias"}
    state = json.loads(json.dumps(states[1]))
    assert state == {"best": 0.6, "best_epoch": 1, "mark": 0.6, "wait": 1}

    again = EarlyStopping("score", patience=2)
    resume = LambdaCallback(on_fit_begin=lambda ctx: again.load_state_dict(state))
    # One more without a gain is enough: the fit before it has waited for one.
    result = toy_fit(again, resume, Values([0.55, 0.54, 0.9]), epochs=2)
    assert result.epochs_run == 1
