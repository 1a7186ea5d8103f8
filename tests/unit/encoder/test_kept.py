"""Folders that are kept: whole or not at all, within the limit, made again where damaged."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nearer.encoder.kept import KeptFolders
from nearer.encoder.room import ABANDONED
from nearer.encoder.store import EmbeddingStore
from nearer.errors import NearerError

WEEK = 7 * 24 * 3600


def writer(size: int, made: list[int]) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        made.append(size)
        (folder / "content").write_bytes(b"x" * size)

    return fill


def load(folder: Path) -> int:
    return len((folder / "content").read_bytes())


def test_it_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []
    for _ in range(2):
        kept = KeptFolders(tmp_path, 10_000)
        assert kept.get("tokens-1", "key", writer(100, made), load, "a model") == 100
    assert made == [100]
    assert kept.get("tokens-1", "other", writer(7, made), load, "a model") == 7
    assert kept.get("data-1", "key", writer(8, made), load, "a.csv") == 8
    assert sorted((u.kind, u.what) for u in kept.usage()) == [
        ("data", "a.csv"),
        ("tokens", "a model"),
        ("tokens", "a model"),
    ]
    size = sum(line.size for line in kept.usage())
    assert size == sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    assert kept.clear() == size
    assert not kept.usage()


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    kept = KeptFolders(tmp_path, 10_000)

    def fails(folder: Path) -> None:
        (folder / "content").write_text("half")
        raise NearerError("no")

    with pytest.raises(NearerError):
        kept.get("data-1", "key", fails, load, "a.csv")
    assert not list(tmp_path.rglob("content"))
    assert kept.get("data-1", "key", writer(3, []), load, "a.csv") == 3


def test_a_damaged_folder_is_made_again(tmp_path: Path) -> None:
    made: list[int] = []
    kept = KeptFolders(tmp_path, 10_000)
    kept.get("data-1", "key", writer(5, made), load, "a.csv")
    next(tmp_path.rglob("content")).unlink()
    assert kept.get("data-1", "key", writer(5, made), load, "a.csv") == 5
    assert made == [5, 5]


def test_the_oldest_go_first_embeddings_included(tmp_path: Path) -> None:
    kept, store = KeptFolders(tmp_path, 3_000), EmbeddingStore(tmp_path, 3_000)
    made: list[int] = []
    kept.get("data-1", "old", writer(1_000, made), load, "old.csv")
    kept.get("data-1", "used", writer(1_000, made), load, "used.csv")
    for path in tmp_path.rglob("about.json"):
        os.utime(path, (WEEK, WEEK))
    kept.get("data-1", "used", writer(1_000, made), load, "used.csv")
    store.add("space", np.zeros((1, 16), np.uint8), np.ones((1, 300), np.float32), {"model": "m"})
    assert [line.what for line in kept.usage()] == ["used.csv"]
    assert [line.model for line in store.usage()] == ["m"]
    for path in tmp_path.rglob("*.arrow"):
        os.utime(path, (WEEK, WEEK))
    kept.get("tokens-1", "new", writer(1_500, made), load, "new")
    assert {line.what for line in kept.usage()} == {"used.csv", "new"}
    assert not EmbeddingStore(tmp_path, 3_000).usage()


def test_what_is_larger_than_the_limit_serves_this_run_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[int] = []
    kept = KeptFolders(tmp_path, 500)
    for _ in range(2):
        assert kept.get("data-1", "key", writer(1_000, made), load, "big.csv") == 1_000
    assert made == [1_000, 1_000]
    assert not list(tmp_path.rglob("content"))
    assert "big.csv" in caplog.text
    assert "NEARER_CACHE_SIZE" in caplog.text


def test_a_folder_that_cannot_be_written_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    kept = KeptFolders(tmp_path / "file", 500)
    assert kept.get("data-1", "key", writer(1, []), load, "a.csv") is None
    assert "nothing is kept" in caplog.text


def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path) -> None:
    kept = KeptFolders(tmp_path, 10_000)
    old, new = tmp_path / "data-1" / ".old.tmp", tmp_path / "data-1" / ".new.tmp"
    for folder in (old, new):
        folder.mkdir(parents=True)
    long_ago = old.stat().st_mtime - ABANDONED - 1
    os.utime(old, (long_ago, long_ago))
    kept.get("data-1", "key", writer(1, []), load, "a.csv")
    assert (old.exists(), new.exists()) == (False, True)
    kept.clear()
    assert not new.exists()
