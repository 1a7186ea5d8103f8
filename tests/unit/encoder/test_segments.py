"""Attention within texts in one row: that of each text by itself, gradients included."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from nearer.encoder import attention
from nearer.encoder.attention import QuickAttention
from nearer.encoder.segments import PackedAttention, Segments
from nearer.errors import ModelError

SDPA = functional.scaled_dot_product_attention
LENGTHS = st.lists(st.integers(1, 130), min_size=1, max_size=12).map(np.array)


def inputs(tokens, heads=(2, 2, 2), dtype=torch.float64):
    generator = torch.Generator().manual_seed(int(tokens))
    shapes = [(1, tokens, count, 4) for count in heads]
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return [part.to(dtype).transpose(1, 2).requires_grad_() for part in made]


def one_by_one(lengths, query, key, value, **options):
    """What it should be, by its definition."""
    parts = zip(*(t.split(lengths.tolist(), dim=2) for t in (query, key, value)), strict=True)
    return torch.cat([SDPA(*part, **options) for part in parts], dim=2)


def with_gradients(found, given):
    weights = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view(found.shape)
    return [found.detach(), *torch.autograd.grad(found, given, weights)]


def packed(lengths, *given, **options):
    with PackedAttention(Segments(lengths)):
        return SDPA(*given, **options)


@given(LENGTHS, st.sampled_from([None, 0.3]))
def test_each_text_attends_to_itself_alone(lengths, scale):
    given_one, given_other = inputs(lengths.sum()), inputs(lengths.sum())
    wanted = with_gradients(one_by_one(lengths, *given_one, scale=scale), given_one)
    found = with_gradients(packed(lengths, *given_other, scale=scale), given_other)
    for one, other in zip(wanted, found, strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-12)


def test_keys_may_be_shared_between_heads():
    lengths = np.array([7, 3, 3])
    one, other = (inputs(13, heads=(4, 2, 2)) for _ in range(2))
    wanted = with_gradients(one_by_one(lengths, *one, enable_gqa=True), one)
    found = with_gradients(packed(lengths, *other, enable_gqa=True), other)
    for a, b in zip(wanted, found, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-9, atol=1e-12)


def test_padding_is_put_in_for_attention_alone_and_little_of_it():
    lengths = np.sort(np.random.default_rng(0).integers(4, 200, 60))[::-1]
    segments = Segments(lengths)
    assert segments.moved
    side_by_side = sum(texts * longest for texts, longest in segments.shapes)
    assert lengths.sum() < side_by_side < 1.2 * lengths.sum()
    alike = Segments(np.full(5, 8))
    assert not alike.moved
    assert alike.masks == [None]


def test_a_row_comes_back_as_it_went():
    lengths = np.array([8, 1, 9, 2])
    values = torch.randn(20, 3, dtype=torch.float64, requires_grad=True)
    segments = Segments(lengths)
    assert torch.equal(segments.in_a_row(segments.side_by_side(values)), values)
    assert torch.autograd.gradcheck(
        lambda row: segments.in_a_row([part * 2 for part in segments.side_by_side(row)]), values
    )


def test_dropout_of_attention_weights_is_taken_over():
    lengths = np.array([5, 5])
    torch.manual_seed(0)
    dropped = packed(lengths, *inputs(10), dropout_p=0.5)
    assert not torch.allclose(dropped, packed(lengths, *inputs(10)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"attn_mask": torch.ones(1, 1, 6, 6, dtype=torch.bool)}, "set packing to false"),
        ({"is_causal": True}, "mask"),
    ],
)
def test_what_it_cannot_do_it_does_not_do_silently(options, said):
    with pytest.raises(ModelError, match=said):
        packed(np.array([4, 2]), *inputs(6), **options)


def test_attention_to_something_else_is_refused():
    query, key, value = inputs(6)
    with pytest.raises(ModelError, match="own row"):
        packed(np.array([4, 2]), query, key[:, :, :5], value[:, :, :5])
    twice = [t.expand(2, -1, -1, -1) for t in (query, key, value)]
    with pytest.raises(ModelError, match="own row"):
        packed(np.array([4, 2]), *twice)


def test_within_quick_attention_bf16_is_quick(monkeypatch):
    calls = []
    plain = attention.quick_attention
    monkeypatch.setattr(
        attention, "quick_attention", lambda *a, **k: calls.append(1) or plain(*a, **k)
    )
    lengths = np.array([90, 90, 3])
    wanted = one_by_one(lengths, *inputs(183, dtype=torch.float32))
    with QuickAttention():
        found = packed(lengths, *inputs(183, dtype=torch.bfloat16))
    assert len(calls) == 2  # the long ones, and the short one
    assert (found.float() - wanted).norm() < 0.01 * wanted.norm()
