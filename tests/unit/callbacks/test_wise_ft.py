"""WiSEFT: what it leaves is (1 - alpha) * original + alpha * tuned, wherever it stands."""

import pytest
import torch
from support.recorder import Values
from support.toy import same, toy_encoder, toy_fit, weights_of
from torch import nn

from nearer.callbacks import BestModelCheckpoint, EarlyStopping, LambdaCallback, WiSEFT
from nearer.callbacks.wise_ft import best_alpha, interpolate, original_weights
from nearer.encoder.heads import with_head
from nearer.errors import Interrupted, SpecError
from nearer.loop.callback import Callback
from nearer.loop.metrics import MetricInfo


class Nearness(Callback):
    """Scores weights: best halfway between two sets of them, the later at `tuned`."""

    every_process = True

    def __init__(self, encoder, best):
        self.encoder, self.best, self.asked = encoder, best, 0
        self.came = weights_of(encoder)

    def produces(self, model_name):
        return [MetricInfo("score", "max", "score")]

    def on_evaluate(self, ctx):
        self.asked += 1
        moved = (self.encoder.module.linear.weight - self.came["linear.weight"]).norm().item()
        return {"score": -abs(moved - self.best)}


def lin(came, tuned, alpha):
    return {n: (1 - alpha) * came[n] + alpha * tuned[n] for n in came}


def close(one, other):
    return all(torch.allclose(one[n], other[n], atol=1e-6) for n in one)


@pytest.mark.parametrize("keeper", [EarlyStopping, BestModelCheckpoint])
@pytest.mark.parametrize("first", [True, False])
def test_a_fixed_alpha_mixes_the_best_wherever_it_stands_in_the_list(keeper, first):
    encoder, seen, mixer = toy_encoder(), [], WiSEFT(alpha=0.25)
    note = LambdaCallback(on_metrics=lambda ctx: seen.append(ctx.weights()))
    both = [mixer, keeper("score")]
    result = toy_fit(
        note, Values([0.1, 0.9, 0.2, 0.3]), *(both if first else both[::-1]), encoder=encoder
    )
    assert close(weights_of(encoder), lin(seen[0], seen[1], 0.25))
    assert mixer.result == {
        "alpha": 0.25,
        "monitor": None,
        "tuned": {"epoch": 1, "step": 2},
        "curve": [],
    }
    # What is kept was measured on these very weights, as one more point.
    assert result.kept == result.history[-1]
    assert (len(result.history), result.kept.metrics["score"]) == (4, 0.3)
    assert same(seen[-1], weights_of(encoder))


def test_a_sweep_finds_what_lies_between_and_asks_for_neither_end_again():
    encoder = toy_encoder()
    near = Nearness(encoder, best=1.0)
    mixer = WiSEFT(alphas=[0.0, 0.25, 0.5, 0.75, 1.0], monitor="score")
    result = toy_fit(near, mixer, encoder=encoder, keep="last")
    curve = {one["alpha"]: one["value"] for one in mixer.result["curve"]}
    assert curve[0.0] == result.history[0].metrics["score"]
    assert curve[1.0] == result.history[2].metrics["score"]
    best = max(curve, key=curve.get)
    assert mixer.result["alpha"] == best
    assert 0 < best < 1
    assert near.asked == 3 + 3 + 1  # the points, what lies between, what is kept
    assert result.kept.metrics["score"] == pytest.approx(curve[best])


@pytest.mark.parametrize(("best", "alpha", "epoch"), [(0.0, 0.0, 0), (100.0, 1.0, 2)])
def test_where_an_end_is_best_its_own_point_is_kept(best, alpha, epoch):
    encoder, seen = toy_encoder(), []
    note = LambdaCallback(on_metrics=lambda ctx: seen.append(ctx.weights()))
    mixer = WiSEFT(monitor="score", alphas=(0, 0.5, 1))
    result = toy_fit(note, Nearness(encoder, best), mixer, encoder=encoder, keep="last")
    assert mixer.result["alpha"] == alpha
    assert result.kept == result.history[epoch]
    assert len(result.history) == 3
    assert same(weights_of(encoder), seen[epoch])


def test_where_no_epoch_beat_the_model_the_best_epoch_is_what_is_mixed():
    encoder, seen, mixer = toy_encoder(), [], WiSEFT(monitor="score", alphas=[0.5])
    note = LambdaCallback(on_metrics=lambda ctx: seen.append(ctx.weights()))
    values = Values([0.8, 0.5, 0.7, 0.6, 0.9])  # the model, three epochs, the mix
    toy_fit(mixer, note, EarlyStopping("score", patience=5), values, encoder=encoder, epochs=3)
    assert mixer.result["tuned"] == {"epoch": 2, "step": 4}
    assert close(weights_of(encoder), lin(seen[0], seen[2], 0.5))


def test_a_new_head_has_no_original_and_a_frozen_part_is_not_touched():
    encoder = with_head(toy_encoder(), 4)
    encoder.module[0].linear.bias.requires_grad_(False)
    before, tuned = weights_of(encoder), {}
    note = LambdaCallback(on_fit_end=lambda ctx: tuned.update(ctx.weights()))
    toy_fit(WiSEFT(alpha=0.5), note, encoder=encoder, fresh_head=True)
    after = weights_of(encoder)
    assert "0.linear.weight" in tuned
    for name in ("1.weight", "1.bias"):
        assert torch.equal(after[name], tuned[name])
        assert not torch.equal(after[name], before[name])
    assert torch.equal(after["0.linear.bias"], before["0.linear.bias"])
    mixed = (before["0.linear.weight"] + tuned["0.linear.weight"]) / 2
    assert torch.allclose(after["0.linear.weight"], mixed)


def test_what_an_adapter_adds_is_scaled():
    came = {
        "q.lora_A.weight": torch.randn(2, 4),
        "q.lora_B.weight": torch.zeros(4, 2),
    }
    tuned = {name: torch.randn_like(value) for name, value in came.items()}
    mixed = interpolate(original_weights(came), tuned, 0.3)
    inner, outer = came
    assert torch.allclose(mixed[outer] @ mixed[inner], 0.3 * (tuned[outer] @ tuned[inner]))


def test_counters_of_batch_norm_are_no_weights():
    norm = nn.BatchNorm1d(2)
    assert "num_batches_tracked" not in original_weights(norm.state_dict())
    assert "running_mean" in original_weights(norm.state_dict())


def test_a_signal_during_the_sweep_hands_back_the_tuned_weights():
    encoder, tuned = toy_encoder(), {}
    keep = LambdaCallback(on_fit_end=lambda ctx: tuned.update(ctx.weights()))

    class Cut(Nearness):
        def on_evaluate(self, ctx):
            if self.asked == 4:
                raise Interrupted("SIGTERM")
            return super().on_evaluate(ctx)

    mixer = WiSEFT(monitor="score", alphas=[0.2, 0.4])
    with pytest.raises(Interrupted) as caught:
        toy_fit(Cut(encoder, 0.1), keep, mixer, encoder=encoder, keep="last")
    assert same(weights_of(encoder), tuned)
    assert mixer.result is None
    assert caught.value.result.kept.epoch == 2


def test_the_best_of_a_curve():
    nan = float("nan")
    assert best_alpha([(0.0, 2.0), (0.5, 1.0), (1.0, 1.0)], "min") == 0.5
    assert best_alpha([(0.0, nan), (0.5, 1.0)], "max") == 0.5
    assert best_alpha([(0.5, nan)], "max") == 1.0


def test_faults():
    with pytest.raises(SpecError) as caught:
        WiSEFT(alpha=1.5, alphas=[-1, "x"], mode="up")
    assert list(caught.value.faults) == [
        'WiSEFT.mode: "up"; must be "auto", "min" or "max"',
        "WiSEFT.alpha: 1.5; must be at most 1",
        "WiSEFT.alphas: -1; must be at least 0",
        "WiSEFT.alphas: 'x'; must be a number",
    ]
    encoder = with_head(toy_encoder(), 4)
    for parameter in encoder.module[0].parameters():
        parameter.requires_grad_(False)
    with pytest.raises(SpecError, match="nothing that came is trained"):
        toy_fit(WiSEFT(alpha=0.5), encoder=encoder, fresh_head=True)
