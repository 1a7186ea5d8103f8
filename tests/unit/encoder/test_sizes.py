"""Sizes as people write them."""

import pytest

from nearer.encoder.sizes import in_words, parse_size
from nearer.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (4096, 4096),
        ("4096", 4096),
        ("1GiB", 1 << 30),
        ("1gib", 1 << 30),
        ("2g", 2 << 30),
        ("512 MB", 512_000_000),
        ("1.5k", 1536),
        ("0", 0),
        (" 10 b ", 10),
    ],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text, "memory_budget") == size


@pytest.mark.parametrize("text", ["", "many", "1 GiB 2", "-1", "1.GiB", "GiB", "1e9", True, "1XB"])
def test_what_is_none(text: str | int) -> None:
    with pytest.raises(UsageError, match='give a number of bytes with a unit, like "512MiB"'):
        parse_size(text, "memory_budget")


def test_too_small_says_what_is_enough() -> None:
    with pytest.raises(UsageError, match=r"memory_budget is '1k'; it must be at least 1\.0 MiB"):
        parse_size("1k", "memory_budget", least=1 << 20)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB")],
)
def test_in_words(size: int, words: str) -> None:
    assert in_words(size) == words
