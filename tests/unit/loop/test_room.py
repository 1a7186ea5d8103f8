"""How many tokens fit: what autograd keeps is counted as it is, and nothing is left changed."""

import copy

import pytest
import torch
from support.toy import PAIRS, batch_of, toy_encoder
from torch import nn

from nearer.encoder.loading import EncoderOptions, load_encoder
from nearer.loop.room import bytes_per_token, free_bytes, graph_room
from nearer.loop.step import embed_group, lay_out


def test_the_bytes_of_a_layer_by_hand():
    # Linear keeps its input (26), Tanh its output (64), the last Linear that same output.
    encoder = toy_encoder(module=nn.Sequential(nn.Linear(26, 64), nn.Tanh(), nn.Linear(64, 8)))
    work = lay_out(encoder, batch_of(PAIRS))
    assert bytes_per_token(encoder, work) == 4 * (26 + 64)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_estimate_for_a_batch_of_texts_is_near_what_it_takes(tiny_bert, precision):
    encoder = load_encoder(tiny_bert, EncoderOptions(precision=precision))
    encoder.module.train()
    batch = batch_of([("red hat", "the best red hat for winter and rain")] * 12)
    work = lay_out(encoder, batch)
    estimate = bytes_per_token(encoder, work) * work.tokens
    weights = {p.untyped_storage().data_ptr() for p in encoder.module.parameters()}
    kept, held = {}, []

    def count(tensor):
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        held += [embed_group(encoder, part, group) for part, group in work.micro_batches]
    assert estimate == pytest.approx(sum(kept.values()), rel=0.35)


def test_what_is_frozen_takes_no_room(tiny_bert):
    encoder = load_encoder(tiny_bert)
    work = lay_out(encoder, batch_of(PAIRS))
    trained = bytes_per_token(encoder, work)
    encoder.module.requires_grad_(False)
    assert bytes_per_token(encoder, work) == 0 < trained
    assert graph_room(encoder, work, 1000) == 1000


def test_random_numbers_statistics_and_gradients_are_left_as_they_were():
    module = nn.Sequential(nn.Linear(26, 8), nn.BatchNorm1d(8), nn.Dropout())
    encoder = toy_encoder(module=module)
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    bytes_per_token(encoder, lay_out(encoder, batch_of(PAIRS)))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())


def test_a_given_memory_is_divided_and_auto_is_a_share_of_what_is_free():
    encoder = toy_encoder()
    work = lay_out(encoder, batch_of(PAIRS))
    each = bytes_per_token(encoder, work)
    assert graph_room(encoder, work, "1MiB") == int(2**20 / each)
    assert graph_room(encoder, work, 10) == 1
    free = free_bytes(torch.device("cpu"), encoder.module)
    assert 0 < graph_room(encoder, work, "auto") < free / each
