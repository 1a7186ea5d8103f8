"""Quick attention: torch's own to the rounding of bf16, and only where it is meant to be."""

import pytest
import torch
from torch.nn import functional

from nearer.encoder import attention
from nearer.encoder.attention import QuickAttention

SDPA = functional.scaled_dot_product_attention


def inputs(dtype=torch.bfloat16, heads=3, keys=7):
    generator = torch.Generator().manual_seed(0)
    shapes = (2, heads, 5, 8), (2, heads, keys, 8), (2, heads, keys, 8)
    return [torch.randn(s, generator=generator).to(dtype).requires_grad_() for s in shapes]


def seen():
    mask = torch.ones(2, 1, 5, 7, dtype=torch.bool)
    mask[1, ..., 4:] = False
    return mask


def values(query, key, value, **options):
    found = SDPA(query, key, value, **options)
    weights = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view(found.shape)
    return [found.detach(), *torch.autograd.grad(found, (query, key, value), weights)]


@pytest.fixture
def asked(monkeypatch):
    """The calls that were taken."""
    calls = []
    plain = attention.quick_attention
    monkeypatch.setattr(
        attention, "quick_attention", lambda *a, **k: calls.append(1) or plain(*a, **k)
    )
    return calls


@pytest.mark.parametrize("scale", [None, 0.5])
@pytest.mark.parametrize("mask", ["none", "seen", "added"])
def test_values_and_gradients_are_torchs_to_the_rounding_of_bf16(mask, scale, asked):
    options = {"scale": scale}
    if mask == "seen":
        options["attn_mask"] = seen()
    elif mask == "added":
        options["attn_mask"] = torch.zeros(2, 1, 5, 7).masked_fill(~seen(), -1e9).bfloat16()
    exact_options = {
        k: v.float() if mask == "added" and k == "attn_mask" else v for k, v in options.items()
    }
    exact = values(*(t.detach().float().requires_grad_() for t in inputs()), **exact_options)
    with QuickAttention():
        ours = values(*inputs(), **options)
    assert asked == [1]
    for one, other in zip(exact, ours, strict=True):
        assert other.dtype is torch.bfloat16
        assert (one - other.float()).norm() < 0.01 * one.norm()


def test_all_else_is_left_to_torch(asked, monkeypatch):
    query, key, value = inputs()
    with QuickAttention():
        SDPA(*inputs(torch.float32))
        SDPA(query, key, value, dropout_p=0.1)
        SDPA(query, query, query, is_causal=True)
        monkeypatch.setattr(attention, "LONGEST", 6)
        SDPA(query, key, value)
    assert not asked
    SDPA(query, key, value)
    assert not asked
