"""Embeddings on disk: found again, never wrong, never more than the limit."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearer.encoder.content import content_keys
from nearer.encoder.store import EmbeddingStore, default_store
from nearer.errors import UsageError

ABOUT = {"model": "tiny"}


def vectors(words: list[str]) -> np.ndarray:
    return np.array([[len(w), sum(map(ord, w)), 0.5] for w in words], dtype=np.float32)


def add(store: EmbeddingStore, words: list[str], space: str = "one") -> None:
    store.add(space, content_keys(words), vectors(words), ABOUT)


def test_what_was_added_is_found_by_another_process(tmp_path: Path) -> None:
    add(EmbeddingStore(tmp_path, 1 << 20), ["red", "green", "blue"])
    store = EmbeddingStore(tmp_path, 1 << 20)
    wanted = ["blue", "pink", "red", "blue"]
    found, rows = store.find("one", content_keys(wanted))
    assert found.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(rows, vectors(["blue", "red", "blue"]))
    assert not store.find("two", content_keys(wanted))[0].any()


@settings(max_examples=40, deadline=None)
@given(
    added=st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1), max_size=4),
    wanted=st.lists(st.sampled_from("abcdefghij"), max_size=12),
)
def test_a_dictionary_does_the_same(
    tmp_path_factory: pytest.TempPathFactory, added: list[list[str]], wanted: list[str]
) -> None:
    store = EmbeddingStore(tmp_path_factory.mktemp("store"), 1 << 20)
    for words in added:
        add(store, words)
    known = {word for words in added for word in words}
    found, rows = store.find("one", content_keys(wanted))
    assert found.tolist() == [word in known for word in wanted]
    if found.any():
        np.testing.assert_array_equal(rows, vectors([w for w in wanted if w in known]))


def test_the_oldest_go_first_and_the_limit_holds(tmp_path: Path) -> None:
    words = [f"word {i}" for i in range(500)]
    store = EmbeddingStore(tmp_path, 60_000)
    for i in range(4):
        add(store, words, f"space {i}")
        for path in tmp_path.rglob(f"space {i}/*.arrow"):
            os.utime(path, (i, i))
    store.find("space 0", content_keys(words[:1]))  # asked for: the youngest now
    add(store, words, "space 4")
    there = {u.parent.name for u in tmp_path.rglob("*.arrow")}
    assert "space 0" in there
    assert "space 4" in there
    assert "space 1" not in there
    assert sum(f.stat().st_size for f in tmp_path.rglob("*.arrow")) <= 60_000 * 1.1
    assert all(any(folder.iterdir()) for folder in store.folder.iterdir())


def test_what_is_larger_than_the_limit_or_not_finite_is_not_kept(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, 100)
    add(store, [f"word {i}" for i in range(100)])
    store = EmbeddingStore(tmp_path, 1 << 20)
    store.add("one", content_keys(["a"]), np.array([[np.nan, 1]], np.float32), ABOUT)
    store.add("one", content_keys([]), np.zeros((0, 2), np.float32), ABOUT)
    assert not list(tmp_path.rglob("*.arrow"))


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, cut: int) -> None:
    add(EmbeddingStore(tmp_path, 1 << 20), ["red", "green"])
    (path,) = tmp_path.rglob("*.arrow")
    path.write_bytes(path.read_bytes()[:cut])
    store = EmbeddingStore(tmp_path, 1 << 20)
    assert not store.find("one", content_keys(["red"]))[0].any()
    add(store, ["red"])
    assert store.find("one", content_keys(["red"]))[0].all()


def test_a_store_that_cannot_be_written_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = EmbeddingStore(tmp_path / "file", 1 << 20)
    with caplog.at_level(logging.WARNING, "nearer"):
        add(store, ["red"])
        add(store, ["green"])
    assert len(caplog.records) == 1
    assert "embeddings are not kept in" in caplog.text
    assert not store.find("one", content_keys(["red"]))[0].any()
    assert store.usage() == []


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nearer.encoder.store.os.fsync", full)
    add(EmbeddingStore(tmp_path, 1 << 20), ["red"])
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    assert "No space left" in caplog.text


def test_another_process_may_clear_at_any_time(tmp_path: Path) -> None:
    store, other = EmbeddingStore(tmp_path, 1 << 20), EmbeddingStore(tmp_path, 1 << 20)
    add(store, ["red"])
    assert store.find("one", content_keys(["red"]))[0].all()
    assert other.clear() > 0
    assert not store.find("one", content_keys(["red"]))[0].any()
    assert other.clear() == 0


def test_usage_has_a_line_for_each_model(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, 1 << 20)
    add(store, ["red", "green"])
    add(store, ["blue"])
    add(store, ["blue"], "two")
    store.add("three", content_keys(["a"]), vectors(["a"]), {"model": "large"})
    lines = store.usage()
    assert sorted((u.model, u.states, u.rows) for u in lines) == [("large", 1, 1), ("tiny", 2, 4)]
    assert sum(u.size for u in lines) == store.clear()


def test_where_it_is_and_how_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARER_CACHE", str(tmp_path))
    monkeypatch.setenv("NEARER_CACHE_SIZE", "1MB")
    store = default_store()
    assert store is not None
    assert store.folder.parent == tmp_path
    assert store.limit == 1_000_000
    monkeypatch.setenv("NEARER_CACHE_SIZE", "0")
    assert default_store() is None
    monkeypatch.setenv("NEARER_CACHE_SIZE", "much")
    with pytest.raises(UsageError, match="NEARER_CACHE_SIZE is 'much'"):
        default_store()
