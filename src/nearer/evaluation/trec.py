"""Writes a ranking as a TREC run file. Reads none, and knows no metrics."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.errors import DataError, UsageError
from nearer.evaluation.result import plain

SLICE = 4096
"""Queries made into text at a time."""


def write_trec_run(
    path: str | Path,
    query_ids: pa.ChunkedArray,
    index_ids: pa.ChunkedArray,
    rows: np.ndarray,
    scores: np.ndarray,
    tag: str = "nearer",
) -> None:
    """Write what was found as `qid Q0 docid rank score tag`, ranks from 1.

    trec_eval reads scores as float32, sorts by them and puts ties in an order of its own. So the
    scores that are written are float32 and fall strictly: one that would not is the next smaller
    number. The file is complete or not there: it is written beside and renamed.

    Args:
        path: Where to; a file that is there is replaced.
        query_ids: Strings, one for each query.
        index_ids: Strings, one for each index row.
        rows: Shape (queries, k), index rows, nearest first; -1 where nothing is, which ends a list.
        scores: Shape (queries, k), falling.
        tag: Name of the run, the last column.

    Raises:
        DataError: An id or the tag is empty or holds whitespace, which the format cannot express.
        UsageError: The folder is not there.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    names = {
        "query": plain(query_ids),
        "index": plain(index_ids),
        "tag": pa.array([tag], pa.large_string()),
    }
    for what, values in names.items():
        _no_whitespace(values, what)
    falling = strictly_falling(scores)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            for low in range(0, len(rows), SLICE):
                part = slice(low, low + SLICE)
                file.writelines(
                    _lines(names["query"][part], names["index"], rows[part], falling[part], tag)
                )
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def strictly_falling(scores: np.ndarray) -> np.ndarray:
    """Scores as float32 that fall strictly from left to right, changed as little as that takes.

    Args:
        scores: Shape (queries, k), falling, not strictly.

    Example:
        >>> strictly_falling(np.array([[0.5, 0.5, 0.1]])).tolist()
        [[0.5, 0.4999999701976776, 0.10000000149011612]]
    """
    largest = float(np.finfo(np.float32).max)
    out: np.ndarray = np.clip(scores, -largest / 2, largest).astype(np.float32)
    for rank in range(1, out.shape[1]):
        below = np.nextafter(out[:, rank - 1], np.float32(-np.inf))
        np.minimum(out[:, rank], below, out=out[:, rank])
    return out


def _lines(
    query_ids: pa.Array, index_ids: pa.Array, rows: np.ndarray, scores: np.ndarray, tag: str
) -> list[str]:
    query, rank = np.nonzero(rows >= 0)

    def text(numbers: np.ndarray) -> pa.Array:
        return pa.array(numbers).cast(pa.large_string())

    def same(word: str) -> pa.Array:
        return pa.scalar(word, pa.large_string())

    lines = pc.binary_join_element_wise(
        query_ids.take(pa.array(query)),
        same("Q0"),
        index_ids.take(pa.array(rows[query, rank])),
        text(rank + 1),
        text(scores[query, rank]),
        same(f"{tag}\n"),
        same(" "),
    )
    written: list[str] = lines.to_pylist()
    return written


def _no_whitespace(values: pa.Array, what: str) -> None:
    bad = pc.fill_null(pc.match_substring_regex(values, r"^$|[\s\p{Z}]"), True)
    if not pc.any(bad).as_py():
        return
    first = pc.index(bad, True).as_py()
    raise DataError(
        f"a TREC run file cannot hold {what if what == 'tag' else f'{what} id'} "
        f"{values[first].as_py()!r} (row {first}): it is empty or holds whitespace; "
        f"{pc.sum(bad).as_py()} are like that"
    )
