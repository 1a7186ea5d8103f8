"""What would end the process inside Arrow's JSON reader is read line by line, or refused."""

import pyarrow as pa
import pytest

from nearer.data.jsonfile import parse_json
from nearer.data.jsonguard import DEEPEST, depth, harms_arrow
from nearer.errors import DataError


@pytest.mark.parametrize(
    "text",
    [b"null", b"null[5", b" \n null\n", b'{"a": 1}\nnull', b'{"a": 1}\n\t null {"a": 2}\n'],
)
def test_a_line_that_is_null(text: bytes) -> None:
    assert harms_arrow(pa.py_buffer(text))
    with pytest.raises(DataError, match="line"):
        parse_json(pa.py_buffer(text), "a.jsonl")


@pytest.mark.parametrize("text", [b'{"a": null}', b'{"a": "\\nnull"}\n', b'{"null": 1}', b""])
def test_a_null_that_is_a_value(text: bytes) -> None:
    assert not harms_arrow(pa.py_buffer(text))


@pytest.mark.parametrize("opens", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("before", [0, 3_000_000])
def test_a_line_that_nests_too_deep(opens: str, before: int) -> None:
    row = '{"a": "b"}\n'
    deep = '{"a": ' + opens * 9000
    text = row * (before // len(row)) + deep + "\n" + row
    buffer = pa.py_buffer(text.encode())
    assert harms_arrow(buffer)
    line = before // len(row) + 1
    with pytest.raises(DataError, match=f"line {line}: brackets nest more than {DEEPEST} deep"):
        parse_json(buffer, "a.jsonl")


def test_many_brackets_side_by_side_are_fine() -> None:
    wide = '{"a": "' + "[{" * 5000 + '", "b": [' + ",".join(["[1]"] * 5000) + "]}\n"
    assert not harms_arrow(pa.py_buffer(wide.encode() * 3))


@pytest.mark.parametrize(
    ("line", "deep"),
    [(b"", 0), (b"[]", 1), (b'["[["]', 1), (b'["\\"[["]', 1), (b"[[]][[[", 3), (b'"[', 0)],
)
def test_depth(line: bytes, deep: int) -> None:
    assert depth(line) == deep
