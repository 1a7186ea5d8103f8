"""What watchers share: points without the metric, and the weights that are kept."""

import pytest
from support.recorder import Values
from support.toy import same, toy_encoder, toy_fit, weights_of

from nearer.callbacks import BestModelCheckpoint, EarlyStopping, LambdaCallback
from nearer.loop.state import StopKind


class Sometimes(Values):
    """Reports values; None says nothing at that point."""

    def on_evaluate(self, ctx):
        value = next(self._coming)
        return None if value is None else {self.name: value}


def test_a_point_without_the_metric_is_not_counted():
    values = Sometimes([0.5, None, 0.4, None, None, 0.3, 0.9])
    result = toy_fit(values, EarlyStopping("score", patience=2), epochs=6)
    assert result.stop_reason.kind is StopKind.PATIENCE
    assert result.epochs_run == 5
    assert (
        "has not improved for 2 evaluations (best 0.50000 at epoch 0)" in result.stop_reason.detail
    )
    assert [p.metrics.get("score") for p in result.history] == [0.5, None, 0.4, None, None, 0.3]
    assert result.kept == result.history[0]


@pytest.mark.parametrize(
    "watcher", [BestModelCheckpoint("score"), EarlyStopping("score", patience=9)]
)
def test_the_best_is_a_point_at_which_it_was_measured(watcher):
    encoder, seen = toy_encoder(), {}
    note = LambdaCallback(on_metrics=lambda ctx: seen.update({ctx.epoch: weights_of(encoder)}))
    values = Sometimes([0.1, None, 0.7, None, 0.6])
    result = toy_fit(values, watcher, note, encoder=encoder, epochs=4)
    assert result.kept.epoch == 2
    assert result.kept.metrics["score"] == 0.7
    assert same(weights_of(encoder), seen[2])


def test_the_point_that_is_kept_has_all_that_is_known_of_its_weights():
    class Late(Sometimes):
        """Asked again at the end, it reports."""

        def on_evaluate(self, ctx):
            return {self.name: 0.25} if ctx.is_last or not ctx.step else None

    result = toy_fit(
        Values([0.1, 0.9], name="loss_like"),
        Late([], name="score"),
        EarlyStopping("loss_like", stopping_threshold=0.8),
        epochs=4,
    )
    assert result.stop_reason.kind is StopKind.THRESHOLD
    assert result.kept.epoch == 1
    assert dict(result.kept.metrics) == dict(result.history[-1].metrics)
    assert result.kept.metrics["score"] == 0.25
