"""Batches prepared ahead: the same in the same order, errors in their place, no thread left."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from support.toy import PAIRS, ToyBatches, batch_of, same, toy_encoder, toy_fit, weights_of

from nearer.data.batch import Batch
from nearer.encoder.protocol import Prepared
from nearer.loop.ahead import AHEAD, ahead, prepared


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("nearer-ahead")]


def toy(may: bool = True):
    encoder = toy_encoder()
    encoder.prepares_ahead = may
    return encoder


def test_the_same_batches_in_the_same_order_ready() -> None:
    source = ToyBatches(rows=23, size=4)
    encoder = toy()
    plain = list(source.epoch(1))
    ready = list(ahead(source.epoch(1), encoder))
    assert [b.rows.tolist() for b in ready] == [b.rows.tolist() for b in plain]
    for batch, other in zip(ready, plain, strict=True):
        assert set(batch.prepared) == {"query", "document"}
        for side in ("query", "document"):
            assert prepared(encoder, batch, side) is batch.prepared[side]
            rows = np.arange(len(batch))
            ours = batch.prepared[side].take(rows)["batch"]
            assert torch.equal(ours, prepared(encoder, other, side).take(rows)["batch"])
    assert not threads()


def test_no_more_than_a_few_ahead() -> None:
    drawn = []

    def source() -> Iterator[Batch]:
        for batch in ToyBatches(rows=80, size=4).epoch(1):
            drawn.append(1)
            yield batch

    coming = ahead(source(), toy())
    next(coming)
    for _ in range(50):
        threading.Event().wait(0.01)
        if len(drawn) == AHEAD + 1:
            break
    threading.Event().wait(0.05)
    assert len(drawn) == AHEAD + 1
    coming.close()
    assert not threads()


def test_an_error_comes_where_its_batch_would() -> None:
    class Broken(ToyBatches):
        def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
            yield from list(super().epoch(number))[:2]
            raise OSError("the disk is gone")

    coming = ahead(Broken(rows=20).epoch(1), toy())
    assert [next(coming).rows[0], next(coming).rows[0]] == [0, 4]
    with pytest.raises(OSError, match="the disk is gone"):
        next(coming)
    assert not threads()

    encoder = toy()
    plain, bad = encoder.prepare_items, PAIRS[9][0]

    def prepare(items):
        if bad in items:
            raise ValueError("a picture is broken")
        return plain(items)

    encoder.prepare_items = prepare
    coming = ahead(ToyBatches(rows=20).epoch(1), encoder)
    assert [next(coming).rows[0], next(coming).rows[0]] == [0, 4]
    with pytest.raises(ValueError, match="a picture is broken"):  # the tenth pair is in the third
        next(coming)


def test_leaving_early_ends_the_thread() -> None:
    for _ in ahead(ToyBatches(rows=40).epoch(1), toy()):
        break
    assert not threads()

    def interrupted() -> None:
        for _ in ahead(ToyBatches(rows=40).epoch(1), toy()):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as held:
        interrupted()
    assert held.value.__traceback__ is not None  # its frames are still there
    assert not threads()


def test_an_encoder_that_does_not_say_so_prepares_in_the_step() -> None:
    """A function of the user's may draw random numbers, whose order must not change."""
    where = []
    encoder = toy(may=False)
    plain = encoder.prepare_items

    def prepare(items):
        where.append(threading.current_thread())
        return plain(items)

    encoder.prepare_items = prepare
    for batch in ahead(ToyBatches().epoch(1), encoder):
        assert not batch.prepared
        assert not where
    prepared(encoder, batch, "query")
    assert where == [threading.main_thread()]


def test_numbers_are_asked_for_first() -> None:
    class Numbered:
        """Knows the texts of one side."""

        prepares_ahead = True

        def __init__(self) -> None:
            self.asked = []

        def prepare(self, items, side):
            return Prepared(np.full(len(items), -1), dict)

        def embed(self, features, side):
            raise NotImplementedError

        def prepare_numbers(self, texts, numbers, side):
            self.asked.append((texts, numbers.tolist(), side))
            return Prepared(numbers, dict) if side == "document" else None

    rows = [("red", "a", "b"), ("blue", "b", "a")]
    plain, encoder = batch_of(rows), Numbered()
    columns = tuple(
        type(c)(c.items, c.side, c.codes, texts=f"texts of {c.side}") for c in plain.columns
    )
    batch = Batch(plain.rows, columns)
    assert prepared(encoder, batch, "document").lengths.tolist() == [0, 1, 1, 0]
    assert prepared(encoder, batch, "query").lengths.tolist() == [-1, -1]
    assert prepared(encoder, plain, "document").lengths.tolist() == [-1] * 4
    assert encoder.asked == [
        ("texts of document", [0, 1, 1, 0], "document"),
        ("texts of query", [0, 1], "query"),
    ]


def test_a_fit_is_the_same_bits_and_leaves_no_thread() -> None:
    weights = []
    for may in (False, True):
        encoder = toy(may)
        toy_fit(encoder=encoder, train=ToyBatches(rows=30), val=ToyBatches(rows=9))
        weights.append(weights_of(encoder))
        assert not threads()
    assert same(*weights)
