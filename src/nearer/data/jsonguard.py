"""What Arrow's JSON reader must not be given: it ends the process where others raise errors."""

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

DEEPEST = 500
"""Brackets within brackets at most; Arrow's reader runs out of stack at some thousands."""

_BLOCK = 1 << 20
_NULL = re.compile(rb"\n[ \t\r]*null")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.S)


def harms_arrow(buffer: pa.Buffer) -> bool:
    """Whether a line is `null` or nests too deep, both of which crash `pyarrow.json` (25.0).

    A block that begins with null is read through a null pointer (apache/arrow issue 47409).
    """
    start = buffer.slice(0, min(4096, buffer.size)).to_pybytes().lstrip()
    if start.startswith(b"null") or _NULL.search(buffer):
        return True
    return any(depth(line) > DEEPEST for line in _bracketed(buffer))


def depth(line: bytes) -> int:
    """How deep the brackets of some JSON nest; those in strings do not count.

    Example:
        >>> depth(b'{"a": [1, {"b": "[["}]}')
        3
    """
    deepest = now = 0
    for mark in re.findall(rb"[][{}]", _STRING.sub(b"", line)):
        now += 1 if mark in b"[{" else -1
        deepest = max(deepest, now)
    return deepest


def _bracketed(buffer: pa.Buffer) -> Iterator[bytes]:
    """The lines with more opening brackets than may nest; reads the others at memory speed."""
    data = np.frombuffer(buffer, dtype=np.uint8)
    start = 0
    while start < len(data):
        end = _line_end(data, start + _BLOCK)
        block = data[start:end]
        opened = (block == ord("[")) | (block == ord("{"))
        if np.count_nonzero(opened) > DEEPEST:
            starts = np.r_[0, np.flatnonzero(block[:-1] == ord("\n")) + 1]
            counts = np.add.reduceat(opened, starts, dtype=np.int32)
            for line in np.flatnonzero(counts > DEEPEST).tolist():
                to = int(starts[line + 1]) if line + 1 < len(starts) else len(block)
                yield block[starts[line] : to].tobytes()
        start = end


def _line_end(data: np.ndarray, at: int) -> int:
    """The end of the line that holds a place; the end of all where it is the last."""
    while at < len(data):
        found = np.flatnonzero(data[at : at + _BLOCK] == ord("\n"))
        if len(found):
            return at + int(found[0]) + 1
        at += _BLOCK
    return len(data)
