"""Relevance judgments: reading them and joining them with queries and index."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.data.cells import codes_of
from nearer.data.collection import Collection
from nearer.data.qrels_lines import Entry, qrels_file
from nearer.data.rows import FIRST, encodable, refuse
from nearer.errors import DataError

LARGEST = 999_999_999
"""A grade at most."""

QrelsSource = Any
"""str, Path, a table that `read_rows` reads, {qid: {docid: grade}} or (qid, docid[, grade])s."""


@dataclass(frozen=True, eq=False)
class Qrels:
    """Judgments as they were given: which document has which grade for which query.

    Attributes:
        query_ids: Ids of queries, strings.
        doc_ids: Ids of documents, strings.
        grades: Shape (judgments,), int64; more than 0 is relevant.
        source: What messages call them.
        lines: Shape (judgments,), int64: line in the file, or number in the list, from 0.
    """

    query_ids: pa.Array
    doc_ids: pa.Array
    grades: np.ndarray
    source: str
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.grades)


@dataclass(frozen=True, eq=False)
class Judgments:
    """Judgments that belong to rows of the queries and of the index.

    Attributes:
        query_rows: Shape (n,), int64: rows of the queries, ascending.
        index_rows: Shape (n,), int64: rows of the index.
        grades: Shape (n,), int64; more than 0 is relevant.
        unknown_queries: Ids that are judged but not among the queries.
        unknown_documents: Ids that are judged for one of the queries but not in the index.
        queries_without_relevant: Rows of the queries for which nothing in the index is relevant.
    """

    query_rows: np.ndarray
    index_rows: np.ndarray
    grades: np.ndarray
    unknown_queries: int
    unknown_documents: int
    queries_without_relevant: int


def read_qrels(source: QrelsSource) -> Qrels:
    """Read relevance judgments.

    Args:
        source: A file in BEIR form (`query-id`, `corpus-id`, `score`, with tabs and a header), a
            file in TREC form (`qid 0 docid grade`, with blanks, no header), a CSV, JSON lines,
            Parquet file or a Dataset with BEIR's columns; `{qid: {docid: grade}}`, also
            `{qid: [docid, …]}`; or a list of `(qid, docid)` or `(qid, docid, grade)`, where a
            grade that is not given is 1.

    Returns:
        Each pair of a query and a document once.

    Raises:
        DataError: A line that is malformed, a pair with two different grades, no judgments.
    """
    if isinstance(source, Mapping):
        entries, name, unit = _mapping(source), "qrels", "entry"
    elif _is_list_of_tuples(source):
        entries, name, unit = _tuples(source), "qrels", "entry"
    else:
        entries, name, unit = qrels_file(source)
    if not entries:
        raise DataError(f"{name}: there are no judgments.")
    lines, queries, documents, grades = zip(*entries, strict=True)
    half = next((i for i in (*queries, *documents) if not encodable(i)), None)
    if half is not None:
        raise DataError(f"{name}: the id {half!r} is no text of Unicode; give it another one.")
    qrels = Qrels(
        pa.array(queries, pa.string()),
        pa.array(documents, pa.string()),
        np.array(grades, dtype=np.int64),
        name,
        np.array(lines, dtype=np.int64),
    )
    return _merged(qrels, unit)


def judgments(qrels: Qrels, query: Collection, index: Collection) -> Judgments:
    """Join judgments with the rows of queries and index.

    Judgments of queries that are not there are passed over and counted, as qrels often cover
    more queries than one set; those of documents that are not in the index are counted.

    Raises:
        DataError: Not one judgment belongs to a query and a document; an id of each is shown.
    """
    query_rows = _rows_of(qrels.query_ids, query.ids)
    index_rows = _rows_of(qrels.doc_ids, index.ids)
    known = query_rows >= 0
    both = known & (index_rows >= 0)
    if not both.any():
        what, ids, there = (
            ("document", qrels.doc_ids.filter(pa.array(known)), index)
            if known.any()
            else ("query", qrels.query_ids, query)
        )
        raise DataError(
            f"{qrels.source}: no judgment fits: none of its {what} ids is in {there.source}. "
            f'Its first is "{ids[0]}", there it is "{there.ids[0]}". Ids must be equal, character '
            "by character."
        )
    order = np.flatnonzero(both)
    order = order[np.lexsort((index_rows[order], query_rows[order]))]
    relevant = np.unique(query_rows[both & (qrels.grades > 0)])
    return Judgments(
        query_rows[order],
        index_rows[order],
        qrels.grades[order],
        unknown_queries=_distinct(qrels.query_ids, ~known),
        unknown_documents=_distinct(qrels.doc_ids, known & ~both),
        queries_without_relevant=len(query) - len(relevant),
    )


def _rows_of(ids: pa.Array, among: pa.ChunkedArray) -> np.ndarray:
    """The row of each id, shape (len(ids),), int64; -1 where it is not there."""
    found = pc.index_in(ids, value_set=pc.cast(among, ids.type))
    return np.asarray(pc.fill_null(found, -1).to_numpy(), dtype=np.int64)


def _distinct(ids: pa.Array, mask: np.ndarray) -> int:
    return int(pc.count_distinct(ids.filter(pa.array(mask))).as_py())


def _merged(qrels: Qrels, unit: str) -> Qrels:
    """Each pair once; refuses pairs with different grades."""
    (query,), _ = codes_of(pa.chunked_array([qrels.query_ids]))
    (document,), _ = codes_of(pa.chunked_array([qrels.doc_ids]))
    pair = query * (int(document.max()) + 1) + document
    _, first, where = np.unique(pair, return_index=True, return_inverse=True)
    if len(first) == len(pair):
        return qrels
    other = np.flatnonzero(qrels.grades != qrels.grades[first][where])
    if len(other):
        shown = "".join(
            f"\n  {unit} {qrels.lines[i]}: {qrels.grades[i]} for query "
            f'"{qrels.query_ids[i]}" and document "{qrels.doc_ids[i]}", but '
            f"{qrels.grades[first[where[i]]]} on {unit} {qrels.lines[first[where[i]]]}"
            for i in other[:FIRST].tolist()
        )
        more = f"\n  … and {len(other) - FIRST} more" if len(other) > FIRST else ""
        raise DataError(
            f"{qrels.source}: pairs with two different grades:{shown}{more}\n  Keep one."
        )
    keep = np.sort(first)
    rows = pa.array(keep)
    return Qrels(
        qrels.query_ids.take(rows),
        qrels.doc_ids.take(rows),
        qrels.grades[keep],
        qrels.source,
        qrels.lines[keep],
    )


def _is_list_of_tuples(source: object) -> bool:
    return (
        isinstance(source, Sequence)
        and not isinstance(source, str)
        and not any(isinstance(entry, Mapping) for entry in source[:1])
    )


def _mapping(source: Mapping[Any, Any]) -> list[Entry]:
    pairs: list[tuple[Any, ...]] = []
    for query, documents in source.items():
        if isinstance(documents, Mapping):
            pairs += [(query, document, grade) for document, grade in documents.items()]
        elif isinstance(documents, Iterable) and not isinstance(documents, str):
            pairs += [(query, document) for document in documents]
        else:
            pairs.append((query, documents))
    return _tuples(pairs)


def _tuples(source: Sequence[Any]) -> list[Entry]:
    entries: list[Entry] = []
    faults = []
    for number, entry in enumerate(source):
        parts = (*entry, 1) if len(entry) == 2 else tuple(entry)
        whole = len(parts) == 3 and isinstance(parts[2], (int, np.integer))
        if not whole or abs(parts[2]) > LARGEST:
            faults.append(
                f"qrels, entry {number}: {entry!r} is not (query id, document id) or (query id, "
                "document id, grade) with a whole number as grade."
            )
            continue
        entries.append((number, str(parts[0]), str(parts[1]), int(parts[2])))
    if faults:
        refuse(faults[:FIRST])
    return entries
