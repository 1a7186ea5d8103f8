"""The speed of training is tried without anything being changed by it."""

import torch
from support.toy import PAIRS, batch_of, toy_encoder

from nearer.encoder.loading import load_encoder
from nearer.loop.probe import tokens_a_second
from nearer.loop.step import lay_out


def test_nothing_is_left_changed(tiny_bert):
    encoder = load_encoder(tiny_bert)
    some = next(encoder.module.parameters())
    some.grad = torch.ones_like(some)
    encoder.module.eval()
    before = {name: value.clone() for name, value in encoder.module.state_dict().items()}
    state = torch.get_rng_state()
    batch = batch_of([("red hat", "the best red hat for winter and rain")] * 12)
    assert tokens_a_second(encoder, lay_out(encoder, batch, micro_batch=2)) > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[n], value) for n, value in encoder.module.state_dict().items())
    assert torch.equal(some.grad, torch.ones_like(some))
    assert [p for p in encoder.module.parameters() if p.grad is not None] == [some]
    assert not any(module.training for module in encoder.module.modules())


def test_an_encoder_of_which_nothing_learns_is_timed_too():
    encoder = toy_encoder()
    encoder.module.requires_grad_(False)
    assert tokens_a_second(encoder, lay_out(encoder, batch_of(PAIRS))) > 0
