"""One batch: sides merged, order restored, micro-batches exact, known relevance."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy import PAIRS, batch_of, toy_encoder
from torch import nn

from nearer.data.batch import Column
from nearer.encoder.loading import load_encoder
from nearer.encoder.protocol import Prepared
from nearer.loop.state import FitConfig
from nearer.loop.step import (
    assemble,
    batch_loss,
    embed_work,
    known_relevant,
    lay_out,
    loss_of,
    train_mode,
)
from nearer.losses.contrastive import InfoNCE

ROWS = [
    ("red hat", "a hat of red", "blue coat"),
    ("wool", "wool and more wool", "cotton"),
    ("green boots", "boots", "a long text about red shoes"),
]


def embed_batch(encoder, batch, micro_batch=None):
    work = lay_out(encoder, batch, micro_batch)
    return assemble(encoder, work, embed_work(encoder, work))


class Spy:
    """An encoder whose embedding of a text is its length; writes down what it was asked."""

    name, precision = "spy", "fp32"

    def __init__(self):
        self.module, self.asked, self.sizes = nn.Linear(1, 1), [], []

    def prepare(self, items, side):
        self.asked.append((side, list(items)))
        lengths = np.array([len(item) for item in items])
        return Prepared(lengths, lambda rows: {"x": torch.from_numpy(lengths[rows]).float()})

    def embed(self, features, side):
        self.sizes.append(len(features["x"]))
        return torch.stack([features["x"], torch.full_like(features["x"], side == "query")], 1)


def test_columns_of_one_side_go_through_together_and_come_back_in_order():
    spy = Spy()
    embedded = embed_batch(spy, batch_of(ROWS))
    assert spy.asked == [
        ("query", [row[0] for row in ROWS]),
        ("document", [row[1] for row in ROWS] + [row[2] for row in ROWS]),
    ]

    def lengths(column, query):
        return [[float(len(row[column])), float(query)] for row in ROWS]

    assert embedded.query.tolist() == lengths(0, True)
    assert embedded.document.tolist() == lengths(1, False)
    assert [n.tolist() for n in embedded.negatives] == [lengths(2, False)]


@pytest.mark.parametrize("micro_batch", [1, 2, 4, None])
def test_micro_batches_are_no_larger_than_asked_and_change_no_order(micro_batch):
    spy = Spy()
    embedded = embed_batch(spy, batch_of(ROWS), micro_batch)
    assert max(spy.sizes) <= (micro_batch or 6)
    assert embedded.document[:, 0].tolist() == [len(row[1]) for row in ROWS]


def test_labelled_data_has_one_column_scores_and_labels_become_tensors():
    labelled = batch_of([("red",), ("blue",)])
    labelled = type(labelled)(labelled.rows, labelled.columns, np.array([0.5, 1]), np.array([3, 4]))
    embedded = embed_batch(toy_encoder(), labelled)
    assert embedded.document is None
    assert embedded.known is None
    assert embedded.negatives == ()
    assert embedded.labels.tolist() == [3, 4]
    assert embedded.labels.dtype == torch.int64
    assert embedded.scores.tolist() == [0.5, 1.0]
    assert embedded.scores.dtype == torch.float32


def gradients(micro_batch, dtype):
    encoder = toy_encoder()
    encoder.module.to(dtype)
    prepare = encoder.prepare_items
    encoder.prepare_items = lambda items: prepare(items).to(dtype)
    config = FitConfig(micro_batch=micro_batch)
    batch_loss(encoder, InfoNCE(), batch_of(PAIRS[:12]), config).backward()
    return [p.grad.double() for p in encoder.module.parameters()]


@pytest.mark.parametrize("micro_batch", [1, 3, 5])
def test_micro_batches_give_the_plain_gradient_in_float32(micro_batch):
    for plain, ours in zip(
        gradients(None, torch.float32), gradients(micro_batch, torch.float32), strict=True
    ):
        assert (plain - ours).norm() <= 1e-5 * plain.norm()


@pytest.mark.parametrize("micro_batch", [1, 3, 5])
def test_micro_batches_give_the_plain_gradient_in_float64(micro_batch, monkeypatch):
    # The result is float32 by contract (`embed_prepared`); lifting that shows the mathematics.
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)
    for plain, ours in zip(
        gradients(None, torch.float64), gradients(micro_batch, torch.float64), strict=True
    ):
        assert plain.norm() > 0
        assert (plain - ours).norm() <= 1e-10 * plain.norm()


WORDS = "red green blue shoes boots hat coat shirt leather cotton wool warm".split()
TEXTS = [
    (word, " ".join(WORDS[: 1 + i % 7]), other)
    for i, (word, other) in enumerate(zip(WORDS, WORDS[::-1], strict=True))
]


@pytest.mark.parametrize("micro_batch", [None, 5])
def test_packed_texts_give_the_gradient_of_padded_ones(tiny_bert, micro_batch, monkeypatch):
    for dtype, most in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        encoder = load_encoder(tiny_bert)
        encoder.module.to(dtype).eval()
        made = []
        with monkeypatch.context() as patch:
            if dtype is torch.float64:
                patch.setattr(torch.Tensor, "float", lambda self: self)
            for packing in (False, True):
                work = lay_out(encoder, batch_of(TEXTS), micro_batch, packing=packing)
                assert all(part.packed == packing for part in work.parts)
                encoder.module.zero_grad()
                loss_of(encoder, InfoNCE(), work, embed_work(encoder, work)).backward()
                grads = [p.grad for p in encoder.module.parameters() if p.grad is not None]
                made.append(torch.cat([grad.flatten() for grad in grads]))
        assert (made[0] - made[1]).norm() <= most * made[0].norm()


def test_packed_micro_batches_are_fewer_and_hold_no_padding(tiny_bert):
    encoder = load_encoder(tiny_bert)
    plain, ours = (
        lay_out(encoder, batch_of(TEXTS), budget=64, packing=packing) for packing in (False, True)
    )
    assert ours.tokens == sum(int(part.prepared.lengths.sum()) for part in ours.parts)
    assert ours.tokens < plain.tokens
    assert len(ours.micro_batches) <= len(plain.micro_batches)
    for part, group in ours.micro_batches:
        assert part.tokens(group) <= 64


def test_packing_can_be_declined(tiny_bert):
    encoder = load_encoder(tiny_bert)
    assert all(part.packed for part in lay_out(encoder, batch_of(TEXTS)).parts)
    padded_ones = lay_out(encoder, batch_of(TEXTS), packing=False).parts
    assert not any(part.packed for part in padded_ones)


def test_a_text_without_tokens_is_padded(tiny_bert, monkeypatch):
    encoder = load_encoder(tiny_bert)
    assert encoder.packs("query")
    assert encoder.packs("document")
    prepare = encoder.prepare

    def some_are_empty(items, side):
        made = prepare(items, side)
        return Prepared(made.lengths * (np.arange(len(items)) > 0), made.take, padded=True)

    monkeypatch.setattr(encoder, "prepare", some_are_empty)
    assert not any(part.packed for part in lay_out(encoder, batch_of(TEXTS)).parts)


def columns(query, *candidates):
    made = [Column([""] * len(query), "query", np.array(query))]
    return [*made, *(Column([""] * len(c), "document", np.array(c)) for c in candidates)]


def brute_force(query, *candidates):
    """Every candidate's content that stands beside an equal query, but for the own document."""
    rows = range(len(query))
    everything = list(itertools.chain(*candidates))
    known = []
    for i in rows:
        relevant = {candidates[0][k] for k in rows if query[k] == query[i]}
        known.append([j != i and content in relevant for j, content in enumerate(everything)])
    return known


CODES = st.integers(-3, 3)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 7).flatmap(
        lambda n: st.lists(st.lists(CODES, min_size=n, max_size=n), min_size=2, max_size=4)
    )
)
def test_T38_known_relevance_by_brute_force(codes):
    known = known_relevant(columns(*codes)).block(0, len(codes[0]))
    assert known.dtype == torch.bool
    assert known.tolist() == brute_force(*codes)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ("distinct rows", [([0, 1], [0, 1]), [[0, 0], [0, 0]]]),
        ("the same document twice", [([0, 1], [5, 5]), [[0, 1], [1, 0]]]),
        ("the same query twice", [([0, 0], [5, 6]), [[0, 1], [1, 0]]]),
        ("another row's negative is my document", [([0, 1], [5, 6], [7, 5]), None]),
        (
            "a third row's document is relevant by way of an equal query",
            [([0, 0, 1], [5, 6, 6]), [[0, 1, 1], [1, 0, 1], [0, 1, 0]]],
        ),
    ],
)
def test_known_relevance_by_hand(codes, expected):
    given_codes, known = expected
    if known is None:
        known = [[0, 0, 0, 1], [0, 0, 0, 0]]
    found = known_relevant(columns(*given_codes)).block(0, len(known))
    assert found.int().tolist() == known


def test_without_documents_nothing_is_known():
    assert known_relevant(columns([0, 1])) is None


def test_train_mode_leaves_out_what_is_frozen_as_a_whole():
    net = nn.Sequential(
        nn.Sequential(nn.Linear(2, 2), nn.Dropout()).requires_grad_(False),
        nn.BatchNorm1d(2),
        nn.Dropout(),
        nn.Linear(2, 2),
    )
    net[3].bias.requires_grad_(False)  # in part: trains
    train_mode(net.eval())
    training = {name for name, module in net.named_modules() if module.training}
    assert training == {"", "1", "2", "3"}
