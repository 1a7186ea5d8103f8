"""SigLIP: by hand, its published formula, identity masks, learned temperature and bias."""

import math

import numpy as np
import pytest
import torch
from support.sizes import Largest

from nearer.errors import SpecError
from nearer.losses import blocks
from nearer.losses.known import KnownPairs
from nearer.losses.matryoshka import Matryoshka
from nearer.losses.protocol import EmbeddedBatch
from nearer.losses.sigmoid import SigLIP


def embeddings(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


def published(query, document, log_scale, bias):
    """Algorithm 1 of the paper, line by line."""
    n = len(query)
    zimg = torch.nn.functional.normalize(document)
    ztxt = torch.nn.functional.normalize(query)
    logits = zimg @ ztxt.T * log_scale.exp() + bias
    labels = 2 * torch.eye(n, dtype=logits.dtype) - torch.ones(n, n, dtype=logits.dtype)
    return -torch.nn.functional.logsigmoid(labels * logits).sum() / n


def test_two_orthogonal_pairs_by_hand():
    loss = SigLIP(temperature=0.5, bias=-1.0)(EmbeddedBatch(torch.eye(2) * 3, torch.eye(2)))
    # Own pair: cosine 1, logit 1; the other: cosine 0, logit -1.
    assert loss.item() == pytest.approx(2 * math.log(1 + math.exp(-1)))


def test_value_and_gradients_are_those_of_the_published_formula(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 12)
    loss = SigLIP().double()
    with torch.no_grad():
        loss.bias.fill_(-3.0)
    q, d = embeddings(7, 4), embeddings(7, 4, seed=1)
    value = loss(EmbeddedBatch(q, d))
    ours = [value, *torch.autograd.grad(value, [q, d, loss.log_scale, loss.bias])]
    value = published(q, d, loss.log_scale, loss.bias)
    theirs = [value, *torch.autograd.grad(value, [q, d, loss.log_scale, loss.bias])]
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_gradients_by_differences():
    known = KnownPairs.of(np.array([0, 1, 0, 2]), np.array([0, 1, 2, 3, 0, 4, 5, 1]))
    parts = embeddings(4, 3), embeddings(8, 3, seed=1)
    scale, bias = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (2.0, -1.0))
    assert torch.autograd.gradcheck(
        lambda *a: blocks.each_alone(*a, known, block=9), (*parts, scale, bias)
    )


def test_several_captions_and_several_pictures_are_all_pairs():
    # Rows 0 and 1 are two captions of one picture, rows 2 and 3 two pictures of one caption.
    q, d = embeddings(5, 3).detach(), embeddings(5, 3, seed=1).detach()
    q[3], d[1] = q[2], d[0]
    known = KnownPairs.of(np.array([0, 1, 2, 2, 4]), np.array([0, 0, 2, 3, 4]))
    pairs = torch.eye(5, dtype=torch.bool)
    pairs[0, 1] = pairs[1, 0] = pairs[2, 3] = pairs[3, 2] = True
    logits = torch.nn.functional.cosine_similarity(q[:, None], d[None], dim=2) / 0.1 - 10
    each = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, pairs.double(), reduction="sum"
    )
    assert SigLIP().double()(EmbeddedBatch(q, d, known=known)).item() == pytest.approx(
        each.item() / 5
    )


def test_hard_negatives_are_no_pairs():
    q, d, n = (embeddings(3, 4, seed=s).detach() for s in range(3))
    loss = SigLIP().double()
    with_them = loss(EmbeddedBatch(q, d, negatives=(n,)))
    logits = torch.nn.functional.cosine_similarity(q[:, None], n[None], dim=2) / 0.1 - 10
    more = torch.nn.functional.softplus(logits).sum() / 3
    assert with_them.item() == pytest.approx((loss(EmbeddedBatch(q, d)) + more).item())


def test_temperature_and_bias_move_stay_in_bounds_and_are_told():
    loss = SigLIP()
    batch = EmbeddedBatch(embeddings(4, 3).detach(), embeddings(4, 3, seed=1).detach())
    loss(batch).backward()
    torch.optim.SGD(loss.parameters(), lr=0.01).step()
    assert loss.learned["temperature"] != pytest.approx(0.1)
    assert loss.learned["bias"] != pytest.approx(-10)
    for wild, bound in ((50.0, 0.005), (-50.0, 1.0)):
        with torch.no_grad():
            loss.log_scale.fill_(wild)
        loss.zero_grad()
        loss(batch).backward()
        assert Matryoshka(loss, [3]).learned["temperature"] == pytest.approx(bound)
        assert loss.log_scale.grad.isfinite()


def test_fixed_ones_have_no_gradient_and_nothing_to_tell():
    loss = SigLIP(learn_temperature=False)
    loss(EmbeddedBatch(embeddings(4, 3), embeddings(4, 3, seed=1))).backward()
    assert not [p for p in loss.parameters() if p.requires_grad or p.grad is not None]
    assert not loss.learned


def test_no_matrix_of_all_pairs_is_held(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 1 << 12)
    rows = 512
    q, d = (torch.randn(rows, 4).requires_grad_() for _ in range(2))
    with Largest() as largest:
        SigLIP()(EmbeddedBatch(q, d)).backward()
    assert largest.bytes <= 8 * blocks.BLOCK < rows * rows * 4 / 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"temperature": 0}, "temperature must be a number above 0, not 0"),
        ({"temperature": 2.0}, "begins between 0.005 and 1.0, not at 2.0"),
        ({"bias": math.inf}, "bias must be a finite number, not inf"),
        ({"bias": "low", "temperature": -1}, "2 faults"),
    ],
)
def test_bad_options(options, says):
    with pytest.raises(SpecError, match=says):
        SigLIP(**options)
