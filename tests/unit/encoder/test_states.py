"""What is kept comes back bit for bit, within the limit, from memory and from the file."""

import logging
import os
from pathlib import Path

import pytest
import torch

from nearer.encoder import states as module
from nearer.encoder.states import ENTRY, States


def some(count: int, seed: int = 0) -> dict[bytes, torch.Tensor]:
    torch.manual_seed(seed)
    return {str(i).encode(): torch.randn(1 + i % 5, 8) for i in range(count)}


@pytest.mark.parametrize("in_memory", [1 << 20, 0, 6000])
def test_what_was_added_comes_back(in_memory: int, tmp_path: Path) -> None:
    states = States(1 << 20, tmp_path / "new", in_memory=in_memory, block=1024)
    given = some(100)
    for key, state in given.items():
        states.add(key, state)
    assert len(states) == 100
    for key, state in given.items():
        assert torch.equal(states.get(key), state)
        assert states.length(key) == len(state)
    # A file without a name leaves nothing behind.
    assert not (tmp_path / "new").exists() or not os.listdir(tmp_path / "new")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_type_of_the_numbers_stays(dtype: torch.dtype) -> None:
    states = States(1 << 20)
    state = torch.randn(3, 8).to(dtype)
    states.add(b"a", state)
    assert states.get(b"a").dtype is dtype
    assert torch.equal(states.get(b"a"), state)


def test_a_vector_counts_as_one_token() -> None:
    states = States(1 << 20)
    states.add(b"a", torch.ones(8))
    assert states.length(b"a") == 1
    assert states.get(b"a").shape == (8,)


def test_the_first_one_stays() -> None:
    states = States(1 << 20)
    states.add(b"a", torch.ones(8))
    states.add(b"a", torch.zeros(8))
    assert states.get(b"a").sum() == 8
    states.get(b"a").zero_()
    assert states.get(b"a").sum() == 8


def test_beyond_the_limit_nothing_is_kept_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "nearer"):
        states = States(10 * (32 + ENTRY), block=64)
        for key, state in {str(i).encode(): torch.ones(8) for i in range(50)}.items():
            states.add(key, state)
    assert 5 <= len(states) <= 10
    assert b"0" in states
    assert b"49" not in states
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("frozen_cache (2.8 KiB) is full: it holds")


def test_a_full_disk_is_no_disaster(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_mapped", full)
    states = States(1 << 20, in_memory=0)
    states.add(b"a", torch.ones(8))
    states.add(b"b", torch.ones(8))
    assert not len(states)
    assert "No space left on device" in caplog.text
