"""BestModelCheckpoint keeps the best and never stops."""

import json
import math

import pytest
from support.recorder import Values
from support.toy import same, toy_encoder, toy_fit, weights_of

from nearer.callbacks import BestModelCheckpoint, LambdaCallback
from nearer.errors import MetricNotReported, SpecError
from nearer.loop.state import StopKind


@pytest.mark.parametrize(
    ("values", "direction", "mode", "best"),
    [
        ([0.1, 0.9, 0.2, 0.3, 0.4], "max", "auto", 1),
        ([0.9, 0.9, 0.9, 0.9, 0.9], "max", "auto", 0),
        ([0.9, 0.1, 0.2, 0.3, 0.4], "min", "auto", 1),
        ([0.9, 0.1, 0.2, 0.3, 0.4], "max", "min", 1),
        ([math.nan, math.inf, 0.2, math.nan, 0.1], "max", "auto", 2),
    ],
)
def test_the_best_is_handed_back_and_the_fit_runs_to_its_end(values, direction, mode, best):
    encoder, seen = toy_encoder(), []
    note = LambdaCallback(on_metrics=lambda ctx: seen.append(ctx.weights()))
    result = toy_fit(
        BestModelCheckpoint("score", mode=mode),
        Values(values, direction=direction),
        note,
        encoder=encoder,
        epochs=4,
    )
    assert (result.epochs_run, result.stop_reason.kind) == (4, StopKind.COMPLETED)
    assert result.kept.epoch == best
    assert same(weights_of(encoder), seen[best])


def test_without_any_finite_value_the_last_weights_stay():
    result = toy_fit(BestModelCheckpoint("score"), Values([math.nan] * 3))
    assert result.kept.epoch == 2


def test_T30_no_metric_name_becomes_a_file_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = Values([0.1, 0.9, 0.2], name="a/b precision@1")
    assert toy_fit(BestModelCheckpoint("a/b precision@1"), values).kept.epoch == 1
    assert list(tmp_path.iterdir()) == []


def test_T32_the_best_comes_back_by_itself_there_is_nothing_to_load():
    encoder, seen = toy_encoder(), []
    note = LambdaCallback(on_metrics=lambda ctx: seen.append(ctx.weights()))
    toy_fit(BestModelCheckpoint("score"), Values([0.1, 0.9, 0.2]), note, encoder=encoder)
    assert same(weights_of(encoder), seen[1])
    assert not hasattr(BestModelCheckpoint, "load_model")


def test_wrong_arguments():
    with pytest.raises(SpecError, match=r"BestModelCheckpoint\.mode"):
        BestModelCheckpoint(mode="up")
    with pytest.raises(MetricNotReported, match=r"BestModelCheckpoint watches \"scor\""):
        toy_fit(BestModelCheckpoint("scor"), Values([1, 2, 3]))


def test_its_state_is_plain_and_the_best_of_before_must_be_beaten():
    keeper = BestModelCheckpoint("score")
    toy_fit(keeper, Values([0.5, 0.8, 0.7]))
    state = json.loads(json.dumps(keeper.state_dict()))
    assert (state["best"], state["best_epoch"]) == (0.8, 1)
    again = BestModelCheckpoint("score")
    resume = LambdaCallback(on_fit_begin=lambda ctx: again.load_state_dict(state))
    assert toy_fit(again, resume, Values([0.6, 0.7, 0.9])).kept.epoch == 2
