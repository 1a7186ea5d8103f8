"""Codes of columns that come in pieces are those of `codes_of`, whatever the pieces."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearer.data.cells import codes_of
from nearer.data.numbering import Numbering, text_hashes

TEXTS = st.text(st.sampled_from("abé "), min_size=1, max_size=3)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=40),
    cut=st.integers(1, 10),
    large=st.booleans(),
)
def test_codes_are_those_of_the_whole(
    rows: list[tuple[str, str]], cut: int, large: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kind = pa.large_string() if large else pa.string()
    columns = [pa.chunked_array([pa.array(column, kind)]) for column in zip(*rows, strict=True)]
    numbering = Numbering(tmp_path_factory.mktemp("n") / "buckets", 2)
    for first in range(0, len(rows), cut):
        for i, column in enumerate(columns):
            numbering.add(i, first, column.slice(first, cut))
    for ours, theirs in zip(numbering.finish(len(rows)), codes_of(*columns)[0], strict=True):
        assert ours.tolist() == theirs.tolist()


def test_nothing_is_left_on_disk(tmp_path: Path) -> None:
    numbering = Numbering(tmp_path / "buckets", 1)
    numbering.add(0, 0, pa.chunked_array([["a", "b", "a"]]))
    (codes,) = numbering.finish(3)
    assert codes.dtype == np.int32
    assert not list(tmp_path.iterdir())


def test_a_hash_is_of_the_text_alone() -> None:
    array = pa.array(["x", "red", "", "red", "längere"])
    hashes = text_hashes(array)
    assert (hashes[1] == hashes[3]).all()
    assert len({tuple(row) for row in hashes.tolist()}) == 4
    assert (text_hashes(array.slice(3)) == hashes[3:]).all()
    assert (text_hashes(array.cast(pa.large_string())) == hashes).all()
