"""Texts that were tokenised once give the features that each batch gives, bit for bit."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from support.tiny import Letters

from nearer.encoder import tokenising
from nearer.encoder.kept import KeptFolders
from nearer.encoder.loading import load_encoder
from nearer.encoder.module import ModuleEncoder
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.tokenising import tokenise
from nearer.encoder.towers import TwoTowers

TEXTS = [
    "red shoes",
    "a hat",
    "the best cheap leather boots for the winter and the rain " * 4,
    "x",
    "  blank before and after ",
    "[SEP] a special [PAD] one",
    "zwölf Äpfel",
    "snow",
]
BATCHES = [[0], [2], [3, 0, 1], [7, 7, 2, 5, 4, 6], [1, 3]]


class Texts:
    """Different texts, in pieces of three."""

    def __init__(self, texts: list[str] = TEXTS) -> None:
        self.texts, self.key, self.count = texts, " ".join(texts), len(texts)
        self.given = 0

    def pieces(self) -> Iterator[list[str]]:
        for first in range(0, len(self.texts), 3):
            self.given += 1
            yield self.texts[first : first + 3]


@pytest.fixture
def keep(tmp_path: Path) -> KeptFolders:
    return KeptFolders(tmp_path / "cache", 1 << 30)


def assert_same_features(encoder: SentenceTransformerEncoder, texts: Texts, side: str) -> None:
    for rows in BATCHES:
        ours = encoder.prepare_numbers(texts, np.array(rows), side)
        theirs = encoder.prepare([texts.texts[row] for row in rows], side)
        assert ours.lengths.tolist() == theirs.lengths.tolist()
        for take in (range(len(rows)), range(len(rows) - 1, -1, -1), [0]):
            mine, other = (p.take(np.array(take)) for p in (ours, theirs))
            assert list(mine) == list(other)
            for name, value in mine.items():
                if isinstance(value, torch.Tensor):
                    assert value.dtype == other[name].dtype
                    assert torch.equal(value, other[name]), name
                else:
                    assert value == other[name]


@pytest.mark.parametrize("padding", ["right", "left"])
@pytest.mark.parametrize("prompt", [None, "query: "])
@pytest.mark.parametrize("max_length", [None, 5])
def test_features_are_the_same_bits(
    padding: str, prompt: str | None, max_length: int | None, tiny_bert: Path, keep: KeptFolders
) -> None:
    encoder = load_encoder(str(tiny_bert))
    encoder.model.tokenizer.padding_side = padding
    if prompt:
        encoder.model.prompts["query"] = prompt
    if max_length:
        encoder.model.max_seq_length = max_length
    for side in ("query", "document"):
        texts = Texts()
        assert encoder.prepare_numbers(texts, np.array([0]), side) is None
        assert tokenise(encoder, texts, side, keep, "test")
        assert_same_features(encoder, texts, side)


def test_it_is_done_once_and_found_again(tiny_bert: Path, keep: KeptFolders) -> None:
    done: list[int] = []
    first = Texts()
    tokenise(load_encoder(str(tiny_bert)), first, "query", keep, "test", done.append)
    assert sum(done) == len(TEXTS)
    again, encoder = Texts(), load_encoder(str(tiny_bert))
    assert tokenise(encoder, again, "query", keep, "test", done.append)
    assert sum(done) == len(TEXTS)  # only the sample is looked at
    assert_same_features(encoder, again, "query")
    (line,) = keep.usage()
    assert (line.kind, line.what) == ("tokens", "tiny-bert test")


@pytest.mark.parametrize("change", ["texts", "prompt", "length", "vocabulary"])
def test_whatever_shapes_tokens_makes_others(
    change: str, tiny_bert: Path, keep: KeptFolders
) -> None:
    tokenise(load_encoder(str(tiny_bert)), Texts(), "query", keep, "test")
    texts, encoder = Texts(), load_encoder(str(tiny_bert))
    if change == "texts":
        texts = Texts([*TEXTS[1:], TEXTS[0]])
    elif change == "prompt":
        encoder.model.prompts["query"] = "find: "
    elif change == "length":
        encoder.model.max_seq_length = 7
    else:
        encoder.model.tokenizer.add_tokens(["shoes2", "best cheap"])
    assert tokenise(encoder, texts, "query", keep, "test")
    assert len(keep.usage()) == 2
    assert_same_features(encoder, texts, "query")


def test_ids_take_two_bytes_where_the_vocabulary_allows(tiny_bert: Path, keep: KeptFolders) -> None:
    encoder, texts = load_encoder(str(tiny_bert)), Texts()
    tokenise(encoder, texts, "query", keep, "small")
    encoder.model.tokenizer.add_tokens([f"word{i}" for i in range(66_000)])
    more = Texts([*TEXTS, "word65999 word1"])
    tokenise(encoder, more, "query", keep, "large")
    small, large = encoder.tokens[texts, "query"], encoder.tokens[more, "query"]
    assert (small.ids.dtype, large.ids.dtype) == (np.uint16, np.uint32)
    assert large.ids.max() > 65_535
    assert_same_features(encoder, more, "query")


def test_of_two_towers_each_has_its_own(tiny_bert: Path, keep: KeptFolders) -> None:
    query, index = load_encoder(str(tiny_bert)), ModuleEncoder(Letters(32), dimension=32)
    towers, texts = TwoTowers(query, index), Texts()
    assert tokenise(towers, texts, "query", keep, "test")
    assert not tokenise(towers, texts, "document", keep, "test")
    assert towers.prepare_numbers(texts, np.array([1]), "document") is None
    ours = towers.prepare_numbers(texts, np.array([1]), "query")
    assert ours is not None
    assert ours.lengths.tolist() == query.prepare([TEXTS[1]], "query").lengths.tolist()
    assert (query.prepares_ahead, towers.prepares_ahead) == (True, False)


def test_modules_of_ones_own_go_on_batch_by_batch(keep: KeptFolders) -> None:
    assert not tokenise(ModuleEncoder(Letters()), Texts(), "query", keep, "test")
    assert not keep.usage()


def test_more_than_tokens_goes_on_batch_by_batch(
    tiny_bert: Path, keep: KeptFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments, cleaning of texts, tensors of another shape: whatever the ids would not say."""
    encoder = load_encoder(str(tiny_bert))
    plain = SentenceTransformer.preprocess

    def with_segments(self, inputs, **options):
        features = plain(self, inputs, **options)
        return {**features, "token_type_ids": torch.ones_like(features["input_ids"])}

    def cleaned(self, inputs, **options):
        return plain(self, [text.replace("hat", "coat") for text in inputs], **options)

    def packed(self, inputs, **options):
        features = plain(self, inputs, **options)
        return {**features, "input_ids": features["input_ids"].reshape(1, -1)}

    for other in (with_segments, cleaned, packed):
        monkeypatch.setattr(SentenceTransformer, "preprocess", other)
        assert not tokenise(encoder, Texts(), "query", keep, "test")
    monkeypatch.setattr(SentenceTransformer, "preprocess", plain)
    monkeypatch.setattr(tokenising, "_fast_tokenizer", lambda encoder: None)
    assert not tokenise(encoder, Texts(), "query", keep, "test")
    assert not keep.usage()


def test_an_interruption_keeps_nothing(tiny_bert: Path, keep: KeptFolders) -> None:
    def advance(done: int) -> None:
        raise KeyboardInterrupt

    encoder, texts = load_encoder(str(tiny_bert)), Texts()
    with pytest.raises(KeyboardInterrupt):
        tokenise(encoder, texts, "query", keep, "test", advance)
    assert not keep.usage()
    assert not list(keep.folder.rglob("ids"))
    assert tokenise(encoder, texts, "query", keep, "test")
