"""Cross-entropy in blocks: the value and the gradients of the whole matrix, which is never held."""

import math

import numpy as np
import pytest
import torch
from support.sizes import Largest
from torch.nn import functional

from nearer.losses import blocks, triplet
from nearer.losses.blocks import own_among
from nearer.losses.contrastive import InfoNCE
from nearer.losses.known import KnownPairs
from nearer.losses.matryoshka import Matryoshka
from nearer.losses.protocol import EmbeddedBatch
from nearer.losses.triplet import Triplet


def embeddings(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()


def whole(rows, candidates, scale, known):
    logits = rows @ candidates.T * scale
    if known is not None:
        logits = logits.masked_fill(known.block(0, len(rows)), -math.inf)
    return functional.cross_entropy(logits, torch.arange(len(rows)))


KNOWN = KnownPairs.of(np.array([0, 1, 0, 2, 3, 4, 1]), np.array([*range(6), 0, 5, 6, 7, 3]))


@pytest.mark.parametrize("block", [1, 25, 33, 10**6])
@pytest.mark.parametrize("known", [None, KNOWN])
def test_value_and_gradients_are_those_of_the_whole_matrix(block, known):
    values = []
    for way in (whole, lambda *a: own_among(*a, block=block)):
        rows, candidates = embeddings(7, 4), embeddings(11, 4, seed=1)
        scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
        loss = way(rows, candidates, scale, known)
        loss.backward()
        values.append([loss.detach(), rows.grad, candidates.grad, scale.grad])
    for plain, ours in zip(*values, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-14)


def test_gradients_by_differences():
    inputs = embeddings(7, 3), embeddings(11, 3, seed=1)
    scale = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *a: own_among(*a, KNOWN, block=30), (*inputs, scale))
    alone = embeddings(11, 3, seed=1).detach()
    assert torch.autograd.gradcheck(lambda r: own_among(r, alone, 2.0, KNOWN, block=30), inputs[:1])


@pytest.mark.parametrize(
    "loss",
    [
        InfoNCE(),
        InfoNCE(symmetric=True, learn_temperature=True),
        Matryoshka(InfoNCE(symmetric=True), [4, 2]),
        Triplet(),
        Triplet(distance="euclidean"),
    ],
    ids=["plain", "symmetric", "matryoshka", "triplet", "euclidean"],
)
def test_the_size_of_blocks_changes_nothing_but_rounding(loss, monkeypatch):
    values = []
    for block in (10**6, 20):
        monkeypatch.setattr(blocks, "BLOCK", block)
        monkeypatch.setattr(triplet, "BLOCK", block)
        batch = EmbeddedBatch(embeddings(7, 4), embeddings(7, 4, seed=1), known=KNOWN)
        value = loss(batch)
        loss.zero_grad()
        value.backward()
        own = [p.grad for p in loss.parameters()]
        values.append([value.detach(), batch.query.grad, batch.document.grad, *own])
    for plain, ours in zip(*values, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-12)


def test_without_gradients_there_are_none():
    with torch.no_grad():
        assert not own_among(embeddings(7, 4), embeddings(11, 4), 2.0, None).requires_grad


@pytest.mark.parametrize("loss", [InfoNCE(symmetric=True), Triplet()], ids=["infonce", "triplet"])
def test_a_large_batch_makes_no_matrix_of_all_pairs(loss):
    rows = 6144
    known = KnownPairs.of(np.arange(rows) // 3, np.arange(rows) // 2)
    batch = EmbeddedBatch(
        embeddings(rows, 4, dtype=torch.float32),
        embeddings(rows, 4, seed=1, dtype=torch.float32),
        known=known,
    )
    with Largest() as largest:
        loss(batch).backward()
    assert largest.bytes <= 8 * blocks.BLOCK < rows * rows * 4 / 4
