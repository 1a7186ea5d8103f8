"""`encode` with a memory: what is not computed twice, and what has to be."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny import Letters

from nearer.encoder.embedding import encode
from nearer.encoder.freezing import freeze_all
from nearer.encoder.loading import load_encoder
from nearer.encoder.module import ModuleEncoder
from nearer.encoder.protocol import Encoder
from nearer.encoder.sharing import SharedEmbeddings
from nearer.encoder.store import EmbeddingStore
from nearer.encoder.towers import TwoTowers

TEXTS = ["red shoes", "a warm hat for the winter", "rain", "which coat is best"]


class Counter:
    """Counts what goes through the encoder, and what is reported as done."""

    def __init__(self) -> None:
        self.fresh = self.done = 0

    def __call__(self, shared: SharedEmbeddings, encoder: Encoder, items, side="document"):
        self.fresh = self.done = 0

        def fresh(count: int) -> None:
            self.fresh += count

        def advance(count: int) -> None:
            self.done += count

        rows = shared(encoder, items, side, advance=advance, fresh=fresh)
        assert self.done == len(items)
        return rows


def nudge(encoder: Encoder) -> None:
    with torch.no_grad():
        for parameter in encoder.module.parameters():
            parameter.add_(0.01)


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "cache", 1 << 24)


def test_a_second_pass_at_one_point_is_free(tiny_bert: Path) -> None:
    encoder, shared, count = load_encoder(str(tiny_bert)), SharedEmbeddings(), Counter()
    first = count(shared, encoder, TEXTS)
    assert count.fresh == len(TEXTS)
    np.testing.assert_array_equal(first, encode(encoder, TEXTS, "document"))
    assert count(shared, encoder, TEXTS) is first
    assert count.fresh == 0
    nudge(encoder)
    shared.clear()
    assert not np.array_equal(count(shared, encoder, TEXTS), first)
    assert count.fresh == len(TEXTS)


def test_the_sides_are_kept_apart(tiny_bert: Path) -> None:
    encoder = load_encoder(str(tiny_bert))
    encoder.model.prompts["query"] = "which "
    shared = SharedEmbeddings()
    one, other = shared(encoder, TEXTS, "query"), shared(encoder, TEXTS, "document")
    assert not np.array_equal(one, other)


def test_another_process_finds_what_was_kept(tiny_bert: Path, store: EmbeddingStore) -> None:
    count = Counter()
    first = count(SharedEmbeddings(store), load_encoder(str(tiny_bert)), TEXTS)
    again = SharedEmbeddings(EmbeddingStore(store.folder.parent, 1 << 24))
    np.testing.assert_array_equal(count(again, load_encoder(str(tiny_bert)), TEXTS), first)
    assert count.fresh == 0


def test_only_what_is_new_is_embedded(tiny_bert: Path, store: EmbeddingStore) -> None:
    encoder, count = load_encoder(str(tiny_bert)), Counter()
    count(SharedEmbeddings(store), encoder, TEXTS[:2])
    more = [TEXTS[2], TEXTS[1], TEXTS[3], TEXTS[0]]
    rows = count(SharedEmbeddings(store), encoder, more)
    assert count.fresh == 2
    np.testing.assert_allclose(rows, encode(encoder, more, "document"), atol=1e-6)


def test_other_weights_find_nothing(tiny_bert: Path, store: EmbeddingStore) -> None:
    encoder, count = load_encoder(str(tiny_bert)), Counter()
    shared = SharedEmbeddings(store)
    before = count(shared, encoder, TEXTS)
    nudge(encoder)
    shared.clear()
    after = count(shared, encoder, TEXTS)
    assert count.fresh == len(TEXTS)
    np.testing.assert_array_equal(after, encode(encoder, TEXTS, "document"))
    assert not np.array_equal(before, after)


def test_a_frozen_tower_is_encoded_once(tiny_bert: Path) -> None:
    query, index = ModuleEncoder(Letters(), dimension=8), ModuleEncoder(Letters(), dimension=8)
    freeze_all(index.module)
    towers, shared, count = TwoTowers(query, index), SharedEmbeddings(), Counter()
    for epoch in range(3):
        count(shared, towers, TEXTS, "document")
        assert count.fresh == (len(TEXTS) if epoch == 0 else 0)
        count(shared, towers, TEXTS, "query")
        assert count.fresh == len(TEXTS)
        nudge(query)
        shared.clear()
    nudge(index)  # frozen, and changed all the same: the weights have the last word
    shared.clear()
    count(shared, towers, TEXTS, "document")
    assert count.fresh == len(TEXTS)


def test_code_of_a_user_is_not_kept_beyond_the_process(store: EmbeddingStore) -> None:
    count = Counter()
    module = Letters()
    count(SharedEmbeddings(store), ModuleEncoder(module), TEXTS)
    count(SharedEmbeddings(store), ModuleEncoder(module), TEXTS)
    assert count.fresh == len(TEXTS)
    assert store.usage() == []


def test_what_does_not_fit_in_memory_is_made_again(tiny_bert: Path) -> None:
    encoder, shared, count = load_encoder(str(tiny_bert)), SharedEmbeddings(budget=600), Counter()
    count(shared, encoder, TEXTS)
    count(shared, encoder, TEXTS[:2])  # no room beside the first
    count(shared, encoder, TEXTS)
    assert count.fresh == 0
    count(shared, encoder, TEXTS[:2])
    assert count.fresh == 2


def test_nothing_to_embed(tiny_bert: Path, store: EmbeddingStore) -> None:
    encoder = load_encoder(str(tiny_bert))
    assert SharedEmbeddings(store)(encoder, [], "query").shape == (0, 32)
