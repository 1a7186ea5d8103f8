"""The grid of examples: what stands where, in which colour, and what cannot be drawn."""

from pathlib import Path

import pytest
from PIL import Image, ImageColor, ImageFont

from nearer.run.example import Example, Match
from nearer.run.picture_grid import CELL, FRAME, GAP, HEIGHT, HIT, MISS, PALE, TOP, fitted
from nearer.run.picture_grid import picture_grid as grid


@pytest.fixture
def square(tmp_path: Path) -> str:
    path = tmp_path / "blue square.png"
    Image.new("RGBA", (300, 200), "blue").save(path)
    return str(path)


def match(path: str, relevant: bool | None, label: str | None = "blue") -> Match:
    return Match("d", path, relevant, label, picture=True)


def at(picture: Image.Image, column: float, row: int, inside: bool = False) -> object:
    """The colour of a cell's frame, or of its middle; column 0 is the query's."""
    x = GAP + int(CELL * column) + (GAP if 0 < column < 3 else 2 * GAP if column else 0)
    y = TOP + HEIGHT * row
    return picture.getpixel((x + CELL // 2, y + CELL // 2) if inside else (x + 1, y + FRAME * 4))


def test_hits_are_green_and_misses_red_on_both_sides(square: str) -> None:
    query = {"query": "q", "text": square, "label": "blue", "picture": True}
    before = Example(matches=(match(square, False), match(square, True)), **query)
    after = Example(matches=(match(square, True), match(square, None)), **query)
    picture = grid({"before": [before], "after": [after]})
    blue = ImageColor.getrgb("blue")
    frames = [at(picture, column, 0) for column in (1, 2, 3, 4)]
    assert frames == [ImageColor.getrgb(c) for c in (MISS, HIT, HIT, PALE)]
    assert [at(picture, column, 0, inside=True) for column in range(5)] == [blue] * 5
    assert at(picture, 0, 0) == ImageColor.getrgb("white")


def test_a_text_asks_and_a_picture_is_gone(square: str, tmp_path: Path) -> None:
    words = "one word after another " * 40
    gone = match(str(tmp_path / "gone.png"), False)
    picture = grid({"before": [], "after": [Example("q", words, (match(square, True), gone))] * 2})
    assert picture.size[1] == TOP + 2 * HEIGHT
    first = picture.crop((GAP, TOP, GAP + CELL, TOP + HEIGHT))
    assert len(first.getcolors(9999) or ()) > 2  # something is written


def test_at_most_so_many_rows() -> None:
    many = [Example(str(i), "a text", ()) for i in range(1000)]
    assert grid({"before": many, "after": many}).size[1] == TOP + 20 * HEIGHT


@pytest.mark.parametrize("text", ["", "short", "a b " * 300, "W" * 500, "W" * 10 + " i" * 90])
def test_lines_fit(text: str) -> None:
    font = ImageFont.load_default(12)
    lines = fitted(text, font, 100, 3)
    assert len(lines) <= 3
    assert all(font.getlength(line) <= 100 for line in lines)
    whole = "".join(lines).replace("…", "")
    assert "".join(text.split()).startswith("".join(whole.split()))
    assert ("…" in lines[-1]) == (len("".join(whole.split())) < len("".join(text.split())))
