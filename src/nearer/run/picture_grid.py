"""Examples as one picture: a row a query, its results before and after. Chooses no example."""

from PIL import Image, ImageDraw, ImageFont

from nearer.encoder.pictures import rgb_of
from nearer.errors import DataError
from nearer.run.example import Example, Examples, Match

MOST_ROWS = 20
"""Queries that one picture has at most: 1.5 megapixels each."""

SIDE, FRAME, GAP, LINE = 144, 5, 12, 15
LINES_OF_CAPTION, LINES_OF_TEXT = 2, 9
CELL = SIDE + 2 * FRAME + GAP
HEIGHT = CELL + LINES_OF_CAPTION * LINE
TOP = 2 * LINE + GAP

PAPER, INK, PALE = "white", "#222222", "#8a8a8a"
HIT, MISS = "#1a8f3c", "#c62828"


def picture_grid(examples: Examples) -> Image.Image:
    """Draw examples: query, results before, results after; hits have a green frame, misses a red.

    A text is written where a picture would be. What cannot be decoded any more is an empty frame.

    Args:
        examples: "before" and "after", of the same queries in the same order.
    """
    font = ImageFont.load_default(12)
    stages = {stage: found[:MOST_ROWS] for stage, found in examples.items()}
    widths = {s: max((len(one.matches) for one in found), default=0) for s, found in stages.items()}
    rows = max((len(found) for found in stages.values()), default=0)
    size = (GAP + CELL * (1 + sum(widths.values())) + GAP * len(stages), TOP + HEIGHT * rows)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, LINE // 2), "query", INK, font)
    longest = max(stages.values(), key=lambda found: len(found), default=[])
    for row, one in enumerate(longest):
        _cell(sheet, (GAP, TOP + HEIGHT * row), one, None, font)
    left = GAP + CELL
    for stage, found in stages.items():
        left += GAP
        draw.text((left, LINE // 2), f"{stage} fine-tuning", INK, font)
        for row, one in enumerate(found):
            top = TOP + HEIGHT * row
            for rank, match in enumerate(one.matches):
                colour = PALE if match.relevant is None else HIT if match.relevant else MISS
                _cell(sheet, (left + CELL * rank, top), match, colour, font)
        left += CELL * widths[stage]
    return sheet


def _cell(
    sheet: Image.Image,
    corner: tuple[int, int],
    item: Example | Match,
    colour: str | None,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    """One query or result, its label under it."""
    x, y = corner
    draw = ImageDraw.Draw(sheet)
    inside = (x + FRAME, y + FRAME)
    if colour is not None:
        outer = (x, y, x + SIDE + 2 * FRAME - 1, y + SIDE + 2 * FRAME - 1)
        draw.rectangle(outer, outline=colour, width=FRAME)
    if item.picture:
        try:
            small = rgb_of(item.path)
            small.thumbnail((SIDE, SIDE))
            at = ((SIDE - small.width) // 2, (SIDE - small.height) // 2)
            sheet.paste(small, (inside[0] + at[0], inside[1] + at[1]))
        except DataError:
            draw.text((inside[0] + GAP, inside[1] + SIDE // 2), "cannot be read", PALE, font)
    else:
        lines = fitted(item.text, font, SIDE, LINES_OF_TEXT)
        draw.multiline_text(inside, "\n".join(lines), INK, font)
    caption = fitted(item.label or item.name, font, SIDE + 2 * FRAME, LINES_OF_CAPTION)
    below = (x, y + SIDE + 2 * FRAME + 1)
    draw.multiline_text(below, "\n".join(caption), colour or INK, font, spacing=1)


def fitted(
    text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int, most: int
) -> list[str]:
    """A text in lines that are no wider than some pixels; what is left out is marked by "…"."""
    lines, line = [], ""
    for word in text[: width * most].split():  # a letter is wider than a pixel
        longer = f"{line} {word}".strip()
        if font.getlength(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while font.getlength(line) > width:
            cut = next(n for n in range(1, len(line)) if font.getlength(line[: n + 1]) > width)
            lines.append(line[:cut])
            line = line[cut:]
    lines.append(line)
    if len(lines) > most:
        last = lines[most - 1]
        while last and font.getlength(f"{last}…") > width:
            last = last[:-1]
        lines = [*lines[: most - 1], f"{last}…"]
    return lines
