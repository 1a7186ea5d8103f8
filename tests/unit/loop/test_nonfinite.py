"""A batch whose loss or gradient is no number: refused by name, or skipped and counted."""

import logging
import math

import numpy as np
import pytest
import torch
from support.recorder import Recorder
from support.tiny import Letters
from support.toy import ListLoss, ToyBatches, same, toy_encoder, toy_fit, weights_of
from torch import nn

from nearer.callbacks import LambdaCallback
from nearer.data.batch import Batch
from nearer.errors import NonFiniteLoss
from nearer.loop.nonfinite import MOST_IN_A_ROW, NonFinite
from nearer.losses.contrastive import InfoNCE
from nearer.losses.protocol import EmbeddedBatch, Loss

BATCH = Batch(np.array([4, 5, 6]), ())


class BadGradient(Loss):
    """InfoNCE whose gradient is not finite at chosen batches, while its value is.

    Args:
        at: Numbers of the batches, from 0.
    """

    def __init__(self, at: set[int], value: float = math.nan) -> None:
        super().__init__()
        self.at, self.value, self.asked = at, value, 0

    def forward(self, batch: EmbeddedBatch) -> torch.Tensor:
        loss = InfoNCE()(batch)
        if self.asked in self.at:
            loss.register_hook(lambda gradient: gradient * self.value)
        self.asked += 1
        return loss


class Normed(Letters):
    """Letters with a batch norm in front: a forward pass changes its buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(26)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return super().forward(self.norm(batch))


@pytest.mark.parametrize("clip_norm", [1.0, 0.0])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_names_the_rows(value, clip_norm):
    encoder, weights = toy_encoder(), []
    note = LambdaCallback(on_train_batch_begin=lambda ctx: weights.append(ctx.weights()))
    with pytest.raises(NonFiniteLoss, match=r"^the gradient of a batch is (nan|inf), its loss 0"):
        toy_fit(note, encoder=encoder, loss=BadGradient({1}, value), clip_norm=clip_norm)
    assert same(weights_of(encoder), weights[-1])


def test_the_rows_of_a_bad_gradient_are_those_of_its_batch():
    with pytest.raises(NonFiniteLoss, match=r"its rows are 4, 5, 6\. A lower learning_rate"):
        toy_fit(loss=BadGradient({1}))


@pytest.mark.parametrize("clip_norm", [1.0, 0.0])
@pytest.mark.parametrize("loss", [lambda: ListLoss([1, math.nan, 1, 1]), lambda: BadGradient({1})])
def test_a_skipped_batch_changes_nothing_and_is_counted(loss, clip_norm, caplog):
    """The second of four batches is skipped: weights, buffers and schedule stay."""
    encoder, seen, rates = toy_encoder(module=Normed()), [], []
    caplog.set_level(logging.WARNING, "nearer")
    note = LambdaCallback(
        on_train_batch_end=lambda ctx: (
            seen.append(weights_of(encoder)) or rates.append(ctx.learning_rates)
        )
    )
    options = {"clip_norm": clip_norm, "scheduler": "linear", "on_nonfinite": "skip"}
    result = toy_fit(note, encoder=encoder, loss=loss(), **options)
    assert result.skipped_batches == 1
    assert result.steps == 4
    assert same(seen[0], seen[1])
    assert not same(seen[1], seen[2])
    assert rates[0] == rates[1] > rates[2]
    assert all(torch.isfinite(w).all() for w in seen[-1].values())
    (said,) = [r.message for r in caplog.records]
    assert "its rows are 4, 5, 6; its step is skipped, and so are others like it" in said
    assert math.isfinite(result.history[1].metrics["train_loss"])


def test_a_forward_pass_that_spoils_buffers_is_undone():
    class Spoils(Normed):
        passes = 0

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            self.passes += self.training
            return super().forward(batch * math.nan if self.passes == 3 else batch)

    encoder = toy_encoder(module=Spoils())
    result = toy_fit(encoder=encoder, on_nonfinite="skip")
    assert result.skipped_batches == 1
    assert all(torch.isfinite(w).all() for w in weights_of(encoder).values())


def test_without_a_skipped_batch_the_option_changes_no_bit():
    one, other = toy_encoder(), toy_encoder()
    toy_fit(encoder=one)
    assert toy_fit(encoder=other, on_nonfinite="skip").skipped_batches == 0
    assert same(weights_of(one), weights_of(other))


def test_the_norm_that_is_not_clipped_changes_no_gradient():
    one, other = toy_encoder(), toy_encoder()
    toy_fit(encoder=one, clip_norm=0.0)
    toy_fit(encoder=other, clip_norm=1e9)
    assert same(weights_of(one), weights_of(other))


def test_too_many_in_a_row_end_the_fit():
    recorder = Recorder()
    train = ToyBatches(4 * MOST_IN_A_ROW)
    with pytest.raises(NonFiniteLoss, match="10 batches in a row had no finite loss") as caught:
        toy_fit(recorder, loss=ListLoss([math.nan]), train=train, on_nonfinite="skip")
    assert "its rows are 36, 37, 38, 39" in str(caught.value)
    assert recorder.events.count("on_train_batch_begin") == MOST_IN_A_ROW
    assert recorder.events[-2:] == ["on_exception", "on_close"]


def test_a_good_batch_between_them_begins_the_count_anew():
    rule = NonFinite("skip")
    for _ in range(3):
        assert all(rule.skips(BATCH, math.nan) for _ in range(MOST_IN_A_ROW - 1))
        assert not rule.skips(BATCH, 0.5)  # a loss alone is not a batch that is done
        assert not rule.skips(BATCH, 0.5, 1.0)
    assert rule.skipped == 3 * (MOST_IN_A_ROW - 1)


def test_a_finite_loss_with_a_bad_gradient_goes_on_counting():
    rule = NonFinite("skip")
    for _ in range(MOST_IN_A_ROW - 1):
        assert not rule.skips(BATCH, 0.5)
        assert rule.skips(BATCH, 0.5, math.inf)
    assert not rule.skips(BATCH, 0.5)
    with pytest.raises(NonFiniteLoss, match="gradient of a batch is inf"):
        rule.skips(BATCH, 0.5, math.inf)
