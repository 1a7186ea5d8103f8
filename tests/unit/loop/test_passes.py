"""Two passes: the gradients of one, dropout and counted statistics included, in less memory."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.toy import PAIRS, batch_of, toy_encoder
from torch import nn

from nearer.encoder.loading import EncoderOptions, load_encoder
from nearer.encoder.quick import QuickParts
from nearer.loop.passes import one_pass, passes_needed, two_passes
from nearer.loop.step import lay_out
from nearer.losses.contrastive import InfoNCE
from nearer.losses.metric_learning import MetricLearning

WORDS = "red green blue shoes boots hat coat shirt leather cotton wool warm".split()
TEXTS = [
    (f"{a} {b}", " ".join([b, "of", a] * (1 + (i + j) % 4)))
    for i, a in enumerate(WORDS)
    for j, b in enumerate(WORDS[:3])
]


def gradients(way, encoder, loss, batch, micro_batch, quick=False):
    work = lay_out(encoder, batch, micro_batch)
    assert len(work.micro_batches) > 1
    encoder.module.zero_grad()
    loss.zero_grad()
    torch.manual_seed(7)
    parts = QuickParts(encoder.module if quick else nn.Linear(1, 1))
    with parts.use():
        value, pull = way(encoder, loss, work)
        pull(lambda v: v.backward())
    everything = [*encoder.module.parameters(), *loss.parameters()]
    found = [None if p.grad is None else p.grad.clone() for p in everything]
    return value.item(), found, torch.get_rng_state()


def apart(one, other):
    both = [(a, b) for a, b in zip(one, other, strict=True) if a is not None or b is not None]
    assert both
    return max(float((a - b).norm() / a.norm().clamp(min=1e-12)) for a, b in both)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("micro_batch", [1, 5])
def test_dropout_is_replayed_and_gradients_are_those_of_one_pass(tiny_bert, micro_batch, quick):
    encoder = load_encoder(tiny_bert)
    encoder.module.train()
    loss = InfoNCE(symmetric=True, learn_temperature=True)
    batch = batch_of(TEXTS)
    made = [
        gradients(way, encoder, loss, batch, micro_batch, quick) for way in (one_pass, two_passes)
    ]
    (value, plain, state), (again, ours, state_after) = made
    assert value == again  # the embeddings of both are the same bits
    assert apart(plain, ours) < 1e-5
    assert torch.equal(state, state_after)


def test_in_float64_without_dropout_they_are_those_of_the_plain_batch(monkeypatch):
    # The result is float32 by contract (`embed_group`); lifting that shows the mathematics.
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)
    encoder = toy_encoder()
    encoder.module.double()
    prepare = encoder.prepare_items
    encoder.prepare_items = lambda items: prepare(items).double()
    batch, loss = batch_of(PAIRS[:12]), InfoNCE(learn_temperature=True)
    plain_work = lay_out(encoder, batch)
    value, pull = one_pass(encoder, loss, plain_work)
    pull(lambda v: v.backward())
    plain = [p.grad.clone() for p in [*encoder.module.parameters(), *loss.parameters()]]
    for micro_batch in (1, 3, 5):
        found, ours, _ = gradients(two_passes, encoder, loss, batch, micro_batch)
        assert found == pytest.approx(value.item(), rel=1e-12)
        assert apart(plain, ours) < 1e-10


def test_labelled_data_and_parameters_of_the_loss(tiny_bert):
    encoder = load_encoder(tiny_bert)
    encoder.module.train()
    torch.manual_seed(0)
    loss = MetricLearning("ArcFaceLoss", num_classes=3, embedding_dim=32)
    batch = batch_of([(text,) for _, text in TEXTS])
    batch = type(batch)(batch.rows, batch.columns, labels=np.arange(len(TEXTS)) % 3)
    made = [gradients(way, encoder, loss, batch, 4) for way in (one_pass, two_passes)]
    assert apart(made[0][1], made[1][1]) < 1e-5


def test_bf16_weights_are_cast_once_and_gradients_agree(tiny_bert):
    exact = load_encoder(tiny_bert)
    exact.module.eval()
    rough = load_encoder(tiny_bert, EncoderOptions(precision="bf16"))
    rough.module.eval()
    batch = batch_of(TEXTS)
    _, plain, _ = gradients(one_pass, exact, InfoNCE(), batch, 5)
    for way in (one_pass, two_passes):
        _, ours, _ = gradients(way, rough, InfoNCE(), batch, 5)
        whole = [torch.cat([g.flatten() for g in side if g is not None]) for side in (plain, ours)]
        assert torch.cosine_similarity(*whole, dim=0) > 0.98
        assert all(g.dtype is torch.float32 for g in ours if g is not None)


def test_statistics_that_a_forward_pass_counts_are_counted_once():
    modules = nn.Sequential(nn.Linear(26, 8), nn.BatchNorm1d(8))
    plain, ours = (toy_encoder(module=copy.deepcopy(modules)) for _ in range(2))
    batch = batch_of(PAIRS[:12])
    one = gradients(one_pass, plain, InfoNCE(), batch, 4)
    two = gradients(two_passes, ours, InfoNCE(), batch, 4)
    assert apart(one[1], two[1]) < 1e-5
    for a, b in zip(plain.module.buffers(), ours.module.buffers(), strict=True):
        assert torch.equal(a, b)


def test_only_one_micro_batch_has_a_graph_at_a_time(monkeypatch):
    """Counted by what autograd keeps: never more than for the largest micro-batch."""
    encoder = toy_encoder(module=nn.Sequential(nn.Linear(26, 64), nn.Tanh(), nn.Linear(64, 8)))

    def most(way):
        alive, peak = [0], [0]

        class Kept:
            def __init__(self, tensor):
                self.tensor = tensor
                alive[0] += tensor.numel()
                peak[0] = max(peak[0], alive[0])

            def __del__(self):
                alive[0] -= self.tensor.numel()

        with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
            gradients(way, encoder, InfoNCE(), batch_of(PAIRS), 2)
        return peak[0]

    assert most(two_passes) < most(one_pass) / 3


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 99), st.booleans())
def test_the_rule(tokens, room, micro_batches, flat):
    passes = passes_needed(tokens, room, micro_batches, flat)
    assert passes == (2 if micro_batches > 1 and (tokens > room or flat) else 1)
