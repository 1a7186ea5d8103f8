"""Checkpoints on disk: whole or not at all, the last two, checked when read."""

import os
import re

import pytest
import torch

from nearer.errors import ArtifactError
from nearer.run.checkpoint import (
    MANIFEST,
    TENSORS,
    VALUES,
    all_checkpoints,
    clear_unfinished,
    read_checkpoint,
    write_checkpoint,
)


def contents(number):
    return {"number": number, "weights": {"w": torch.full((100,), float(number))}}


def names(folder):
    return [path.name for path in all_checkpoints(folder)]


def test_it_comes_back(tmp_path):
    path = write_checkpoint(tmp_path / "checkpoint", 12, contents(3))
    assert path.name == "0000012"
    back = read_checkpoint(path)
    assert back["number"] == 3
    assert torch.equal(back["weights"]["w"], contents(3)["weights"]["w"])


def test_the_last_two_stay_in_the_order_in_which_they_were_written(tmp_path):
    for number, step in enumerate([5, 10, 10, 10_000_000]):
        write_checkpoint(tmp_path, step, contents(number))
    assert names(tmp_path) == ["0000010-2", "10000000"]
    assert [read_checkpoint(p)["number"] for p in all_checkpoints(tmp_path)] == [2, 3]
    assert sorted(os.listdir(tmp_path)) == ["0000010-2", "10000000"]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        *((name, how) for name in (VALUES, TENSORS) for how in ("flip", "cut", "empty", "gone")),
        *((MANIFEST, how) for how in ("cut", "empty", "gone")),
    ],
)
def test_damage_is_found(name, how, tmp_path):
    path = write_checkpoint(tmp_path, 1, contents(1))
    file = path / name
    data = bytearray(file.read_bytes())
    if how == "gone":
        file.unlink()
    else:
        data[len(data) // 2] ^= 1
        whole = {"flip": data, "cut": data[: len(data) // 2], "empty": b""}
        file.write_bytes(bytes(whole[how]))
    with pytest.raises(ArtifactError, match=re.escape(str(path))):
        read_checkpoint(path)


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": 1, "files": 3}', '{"format": "x"}'])
def test_a_manifest_that_is_none(text, tmp_path):
    path = write_checkpoint(tmp_path, 1, contents(1))
    (path / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_checkpoint(path)


def test_one_of_a_newer_version_is_refused(tmp_path):
    path = write_checkpoint(tmp_path, 1, contents(1))
    (path / MANIFEST).write_text('{"format": 99, "files": {}}')
    with pytest.raises(ArtifactError, match="newer nearer"):
        read_checkpoint(path)


def test_what_a_process_left_that_died_while_it_wrote_is_no_checkpoint(tmp_path):
    write_checkpoint(tmp_path, 1, contents(1))
    left = tmp_path / ".0000002.0123abcd.tmp"
    left.mkdir()
    (left / TENSORS).write_bytes(b"half")
    assert names(tmp_path) == ["0000001"]
    clear_unfinished(tmp_path)
    assert os.listdir(tmp_path) == ["0000001"]


def test_a_disk_that_fails_leaves_those_before(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, 1, contents(1))

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            write_checkpoint(tmp_path, 2, contents(2))
    assert os.listdir(tmp_path) == ["0000001"]
    assert read_checkpoint(tmp_path / "0000001")["number"] == 1
