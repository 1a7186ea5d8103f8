"""The different texts of a side in the order of their codes, and items read when looked at."""

import numpy as np
import pytest

from nearer.data.columns import read_examples
from nearer.data.contents import Items

ROWS = [
    {"query": "a", "document": "x", "negative": "y"},
    {"query": "b", "document": "y", "negative": "z"},
    {"query": "a", "document": "w", "negative": "x"},
]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_each_text_once_in_the_order_of_its_code(size: int) -> None:
    contents = read_examples(ROWS).contents
    for side, expected in (("query", ["a", "b"]), ("document", ["x", "y", "w", "z"])):
        texts = contents.distinct[side]
        found = [text for piece in texts.pieces(size) for text in piece]
        assert found == expected
        assert texts.count == len(expected)
        codes = [c for c, s in zip(contents.codes, contents.sides, strict=True) if s == side]
        cells = [contents.table.column(i).to_pylist() for i in range(3)]
        cells = [c for c, s in zip(cells, contents.sides, strict=True) if s == side]
        for numbers, column in zip(codes, cells, strict=True):
            assert [found[number] for number in numbers] == column


def test_keys_say_what_the_texts_are_and_of_which_side() -> None:
    one, other = read_examples(ROWS).contents, read_examples(ROWS[:2]).contents
    keys = {c.distinct[side].key for c in (one, other) for side in ("query", "document")}
    assert len(keys) == 4
    assert read_examples(ROWS).contents.distinct["query"].key == one.distinct["query"].key


def test_a_batch_says_which_texts_its_codes_number() -> None:
    examples = read_examples(ROWS)
    for part in (examples, examples.take(np.array([2, 0]))):
        batch = part.batch(np.array([0]))
        texts = [column.texts for column in batch.columns]
        assert texts == [examples.contents.distinct[side] for side in examples.sides]


def test_items_are_read_once_and_late() -> None:
    asked = []

    def read() -> list[str]:
        asked.append(1)
        return ["a", "b"]

    items = Items(read, 2)
    assert len(items) == 2
    assert not asked
    assert (items[1], list(items), items[:1]) == ("b", ["a", "b"], ["a"])
    assert items == ["a", "b"]
    assert items != ["a"]
    assert items != "ab"
    assert asked == [1]
