"""Which items are the same: by content, whatever they are called."""

import os
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nearer.encoder.content import KEY_BYTES, content_keys


@given(st.lists(st.text(max_size=8), max_size=20))
def test_keys_are_equal_where_texts_are(texts: list[str]) -> None:
    keys = [key.tobytes() for key in content_keys(texts)]
    for i, one in enumerate(texts):
        for j, other in enumerate(texts):
            assert (keys[i] == keys[j]) == (one == other)


def test_no_items_and_lone_surrogates() -> None:
    assert content_keys([]).shape == (0, KEY_BYTES)
    assert content_keys(["\ud800", "é"]).shape == (2, KEY_BYTES)


def test_a_picture_is_its_file_and_not_its_name(tmp_path: Path) -> None:
    one, other = tmp_path / "a.png", tmp_path / "b.png"
    Image.new("RGB", (4, 4), "red").save(one)
    other.write_bytes(one.read_bytes())
    first = content_keys([one, other, str(one)])
    assert (first[0] == first[1]).all()
    assert (first[0] != first[2]).any()  # a text that reads like a path is a text
    Image.new("RGB", (4, 4), "blue").save(one)
    os.utime(one, ns=(1, 1))
    assert (content_keys([one])[0] != first[0]).any()


def test_pictures_in_memory_differ_by_shape() -> None:
    wide, high = Image.new("L", (2, 8)), Image.new("L", (8, 2))
    keys = content_keys([wide, high, wide.copy(), np.zeros(16, np.uint8), 7])
    assert (keys[0] == keys[2]).all()
    assert len({key.tobytes() for key in keys}) == 4
