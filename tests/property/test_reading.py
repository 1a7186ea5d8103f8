"""Whatever Python's csv module writes, and whatever json writes, reads back as the same strings."""

import csv
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearer.data.fingerprint import fingerprint
from nearer.data.reading import read_rows

# NUL marks a binary file, surrogates have no UTF-8
cell = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
hard = st.text(st.sampled_from("\",;\n\r\t \\'aé語\u2028\ufeff"), max_size=12)
rows = st.lists(st.tuples(cell | hard, cell | hard, cell | hard), min_size=1, max_size=12)
on_disk = settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".csv", {}),
        (".csv", {"lineterminator": "\n", "quoting": csv.QUOTE_ALL}),
        (".csv", {"delimiter": ";"}),
        (".tsv", {"delimiter": "\t"}),
    ],
)
@on_disk
@given(rows=rows)
def test_csv_gives_the_same_strings(tmp_path, suffix, options, rows):
    path = tmp_path / f"a{suffix}"
    starts = []
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, **options)
        writer.writerow(["a", "b", "c"])
        for row in rows:
            file.flush()
            starts.append(path.read_bytes())
            writer.writerow(row)
    read = read_rows(path)
    columns = (read.table[name].to_pylist() for name in "abc")
    assert list(zip(*columns, strict=True)) == rows
    # a row's line is where its record begins, in the lines that editors count
    ends = [re.findall("\r\n|\r|\n", start.decode()) for start in starts]
    lines = [len(found) + 1 for found in ends]
    assert read.places(range(len(rows))) == [f"line {line}" for line in lines]


@on_disk
@given(rows=rows, ascii_only=st.booleans())
def test_json_gives_the_same_strings(tmp_path, rows, ascii_only):
    path = tmp_path / "a.jsonl"
    lines = [
        json.dumps(dict(zip("abc", row, strict=True)), ensure_ascii=ascii_only) for row in rows
    ]
    path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
    read = read_rows(path)
    columns = (read.table[name].to_pylist() for name in "abc")
    assert list(zip(*columns, strict=True)) == rows
    assert read.places(range(len(rows))) == [f"line {i + 1}" for i in range(len(rows))]


@on_disk
@given(rows=rows, other=rows)
def test_fingerprints_are_equal_where_tables_are(rows, other):
    one, two = (
        read_rows([dict(zip("abc", row, strict=True)) for row in r]).table for r in (rows, other)
    )
    assert (fingerprint(one) == fingerprint(two)) == one.equals(two)
