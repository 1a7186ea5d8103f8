"""From files and judgments to an EvaluationSet: labels, qrels, pairs or a BEIR folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from nearer.data.collection import Collection
from nearer.data.columns import read_examples
from nearer.data.evaluation_sets import judgments, read_beir, read_collection, read_qrels
from nearer.data.kinds import Kind
from nearer.data.qrels import Judgments, Qrels
from nearer.data.reading import read_rows
from nearer.errors import DataError, NearerError, SpecError
from nearer.evaluation.evaluation_set import EvaluationSet, build_evaluation_set
from nearer.evaluation.relevance import turned
from nearer.evaluation.sampling import SEED, ask_only, draw

OnBadRow = Literal["error", "skip"]


@dataclass(frozen=True)
class ReadSet:
    """An evaluation set, and what a user should know about how it was read.

    Attributes:
        data: Queries, index and relevance.
        notes: Sentences about rows and judgments that do not count.
        queries: Rows of the query data, whether they ask or not.
    """

    data: EvaluationSet
    notes: tuple[str, ...]
    queries: int = 0


def read_evaluation_set(
    query_data: Any,
    index_data: Any = None,
    qrels: Any = None,
    *,
    columns: Mapping[str, str] | None = None,
    on_bad_row: OnBadRow = "error",
    query_sample_size: int | None = None,
    sample_seed: int = SEED,
    by_position: bool = False,
    both_directions: bool = False,
) -> ReadSet:
    """Read what a model is evaluated on.

    Relevance comes from `qrels` where they are given, else from equal labels. A file of pairs
    (`query,document`) is queries, index and relevance in one; so is a BEIR folder.

    Args:
        query_data: Queries, pairs, or a BEIR folder.
        index_data: Documents; None: the queries, each without itself.
        qrels: Judgments in BEIR or TREC form.
        columns: Our column names to yours, for queries and index alike.
        on_bad_row: "error", or "skip" to leave out rows that cannot be used.
        query_sample_size: How many of the queries ask, drawn without replacement; None: all.
        sample_seed: The same seed draws the same queries.
        by_position: Row i of a file is row i of its embeddings, which are there already: texts and
            pictures are not read, and need not be there.
        both_directions: Whether the rows of the index ask too.

    Raises:
        DataError: A file cannot be used.
        SpecError: Several faults; all are listed.
    """
    if both_directions and query_sample_size is not None:
        raise SpecError(
            ["both_directions: the index asks among all queries; leave out query_sample_size"]
        )
    whole = _read_whole(query_data, index_data, qrels, columns, on_bad_row, not by_position)
    queries = len(whole.data.query)
    if both_directions:
        return ReadSet(whole.data, (*whole.notes, *_both(whole.data)), queries)
    rows = draw(queries, query_sample_size, sample_seed)
    if rows is None:
        return ReadSet(whole.data, (*whole.notes, *_without(whole.data)), queries)
    data = ask_only(whole.data, rows)
    drawn = f"{len(rows):,} of {queries:,} queries ask, drawn with seed {sample_seed}"
    return ReadSet(data, (*whole.notes, drawn, *_without(data)), queries)


def _read_whole(
    query_data: Any,
    index_data: Any,
    qrels: Any,
    columns: Mapping[str, str] | None,
    on_bad_row: OnBadRow,
    items: bool,
) -> ReadSet:
    if query_data is None:
        raise SpecError(["query_data: missing; the queries to evaluate with"])
    if _is_beir(query_data) and index_data is None:
        if not items:
            raise SpecError(
                [
                    f"query_data: {query_data} is a BEIR folder, of which only judged queries are "
                    "taken, so that none has a position; give its files: query_data queries.jsonl, "
                    "index_data corpus.jsonl, qrels qrels/test.tsv"
                ]
            )
        query, index, judged = read_beir(query_data)
        return _judged(query, index, judged if qrels is None else read_qrels(qrels))
    if items and index_data is None and qrels is None and _is_pairs(query_data, columns):
        return _of_pairs(query_data, columns, on_bad_row)
    faults: list[str] = []
    query_side = _read(query_data, columns, "query", on_bad_row, faults, items)
    index_side = None
    if index_data is not None:
        index_side = _read(index_data, columns, "index", on_bad_row, faults, items)
    judged_rows = None
    if qrels is not None:
        try:
            judged_rows = read_qrels(qrels)
        except NearerError as error:
            faults.append(str(error))
    if faults:
        raise DataError(faults[0]) if len(faults) == 1 else SpecError(faults)
    assert query_side is not None
    if judged_rows is not None:
        return _judged(query_side, index_side, judged_rows)
    data = build_evaluation_set(query_side, index_side)
    return ReadSet(data, tuple(_skipped(query_side, index_side)))


def _read(
    source: Any,
    columns: Mapping[str, str] | None,
    role: Literal["query", "index"],
    on_bad_row: OnBadRow,
    faults: list[str],
    items: bool,
) -> Collection | None:
    try:
        return read_collection(source, columns, role, on_bad_row, items=items)
    except SpecError as error:
        faults.extend(error.faults)
    except NearerError as error:
        faults.append(str(error))
    return None


def _judged(query: Collection, index: Collection | None, qrels: Qrels) -> ReadSet:
    found: Judgments = judgments(qrels, query, query if index is None else index)
    rows = (found.query_rows, found.index_rows, found.grades)
    data = build_evaluation_set(query, index, rows)
    notes = []
    if found.unknown_documents:
        notes.append(
            f"{qrels.source} judges {found.unknown_documents:,} documents that are not in the "
            "index; they do not count"
        )
    if found.unknown_queries:
        notes.append(
            f"{qrels.source} judges {found.unknown_queries:,} queries that are not in "
            f"{query.source}; they are passed over"
        )
    return ReadSet(data, (*notes, *_skipped(query, index)))


def _of_pairs(source: Any, columns: Mapping[str, str] | None, on_bad_row: OnBadRow) -> ReadSet:
    examples = read_examples(source, columns, on_bad_row)
    if examples.kind is not Kind.PAIRS:
        raise DataError(f"{examples.source}: an evaluation takes pairs, not {examples.kind.value}")
    sides, rows = [], []
    for i in range(2):
        codes = examples.codes[i]
        _, first, back = np.unique(codes, return_index=True, return_inverse=True)
        items = examples.table.column(i).take(pa.array(first))
        ids = pa.chunked_array([pa.array(first).cast(pa.string())])
        sides.append(Collection(ids, items, examples.modalities[i], None, examples.source))
        rows.append(back.astype(np.int64))
    query, index = sides
    distinct = np.unique(np.stack(rows), axis=1)
    grades = np.ones(distinct.shape[1], dtype=np.int64)
    return ReadSet(build_evaluation_set(query, index, (distinct[0], distinct[1], grades)), ())


def _is_beir(source: Any) -> bool:
    return isinstance(source, str | Path) and (Path(source).expanduser() / "corpus.jsonl").is_file()


def _is_pairs(source: Any, columns: Mapping[str, str] | None) -> bool:
    names = set(read_rows(source).table.column_names)
    mapped = {ours for ours, theirs in (columns or {}).items() if theirs in names}
    return {"query", "document"} <= names | mapped and "id" not in names


def _skipped(*sides: Collection | None) -> list[str]:
    return [
        f"{side.source}: {side.skipped:,} rows left out, the first: {side.reasons[0]}"
        for side in sides
        if side is not None and side.skipped
    ]


def _without(data: EvaluationSet) -> list[str]:
    """Say how many queries have nothing to find; refuse a set where none has."""
    without, queries = int((data.relevance.counts == 0).sum()), len(data.query)
    if without == queries:
        which = "any query" if data.asking is None else "any of the queries drawn"
        raise DataError(
            f"nothing in {data.searched.source} is relevant to {which} of {data.query.source}; "
            "look at the labels, or at the grades of the judgments (1 or more is relevant)"
        )
    if not without:
        return []
    return [
        f"nothing in the index is relevant to {without:,} of {queries:,} queries; "
        "they count 0 in every mean"
    ]


def _both(data: EvaluationSet) -> list[str]:
    """Say what does not count in either direction; refuse queries that are the index."""
    if data.index is None:
        raise SpecError(
            [
                "both_directions: the queries are the index, so there is one direction; give "
                "index_data, or leave it out"
            ]
        )
    rows = len(data.index)
    without = int((turned(data.relevance, rows).counts == 0).sum())
    notes = _without(data)
    if without:
        notes.append(
            f"no query is relevant to {without:,} of {rows:,} rows of the index; they count 0 in "
            "every mean of the reverse direction"
        )
    return notes
