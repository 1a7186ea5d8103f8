"""Lines of a qrels file, BEIR or TREC form, to entries; joins and checks nothing across lines."""

import re
from pathlib import Path
from typing import Any

from nearer.data.reading import read_rows
from nearer.data.rows import FIRST, Rows, quoted
from nearer.data.textfile import encoding_fault, read_text
from nearer.errors import DataError

Entry = tuple[int, str, str, int]
"""Line, query id, document id, grade."""

_GRADE = re.compile(r"[+-]?[0-9]{1,9}(\.0*)?")
"""A whole number that any table of grades can hold."""

_NUMBER = re.compile(r"[+-]?\.?[0-9]")
"""How a number begins: a first line that ends in one is data and no header."""

_TABLES = (".csv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".feather")
_COLUMNS = {
    "query": ("query-id", "query_id", "qid"),
    "document": ("corpus-id", "corpus_id", "doc_id", "docid"),
    "grade": ("score", "grade", "relevance"),
}


def qrels_file(source: Any) -> tuple[list[Entry], str, str]:
    """Entries of a file or table, what messages call it, and what its entries are counted in.

    Raises:
        DataError: A line is neither BEIR nor TREC form, or a grade is no whole number.
    """
    plain = isinstance(source, (str, Path))
    path = Path(source).expanduser() if plain else Path()
    if not plain or path.is_dir() or not path.exists() or path.suffix.lower() in _TABLES:
        rows = read_rows(source)  # or the error of a file that is not there
        return _table(rows), rows.source, "line" if rows.locate else "row"
    name = str(source)
    buffer = read_text(path, None, name)
    fault = encoding_fault(buffer, name)
    if fault is not None:
        raise fault
    return _lines(buffer.to_pybytes().decode("utf-8"), name), name, "line"


def _lines(text: str, source: str) -> list[Entry]:
    entries: list[Entry] = []
    faults: list[str] = []
    first = True
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        # BEIR's ids may hold blanks, so a line with tabs is split at tabs only.
        fields = [f.strip() for f in line.split("\t")] if "\t" in line else line.split()
        header, first = first and len(fields) == 3 and not _NUMBER.match(fields[-1]), False
        if header:
            continue
        if len(fields) not in (3, 4) or not all(fields):
            faults.append(f"line {number}: {len(fields)} fields: {line.strip()[:60]}")
        elif not _GRADE.fullmatch(fields[-1]):
            few = " of nine digits at most" if fields[-1].lstrip("+-").isdigit() else ""
            shown = fields[-1][:40]
            faults.append(f'line {number}: the grade "{shown}" is no whole number{few}')
        else:
            entries.append((number, fields[0], fields[-2], int(float(fields[-1]))))
    if faults:
        more = [f"… and {len(faults) - FIRST} more lines"] if len(faults) > FIRST else []
        raise DataError(
            f"{source}: lines that cannot be read:"
            + "".join(f"\n  {fault}" for fault in faults[:FIRST] + more)
            + "\n  A line is `query-id corpus-id score` with tabs (BEIR, with a header), or "
            "`qid 0 docid grade` (TREC)."
        )
    return entries


def _table(rows: Rows) -> list[Entry]:
    there = rows.table.column_names
    found = {
        ours: next((name for name in names if name in there), None)
        for ours, names in _COLUMNS.items()
    }
    if found["query"] is None or found["document"] is None:
        raise DataError(
            f"{rows.source}: qrels need the columns "
            f'"query-id", "corpus-id" and "score"; there are {quoted(there)}.'
        )
    queries, documents = (
        [None if v is None else str(v) for v in rows.table.column(found[c]).to_pylist()]
        for c in ("query", "document")
    )
    grade = found["grade"]
    grades = ["1"] * len(rows) if grade is None else rows.table.column(grade).to_pylist()
    bad = [
        row
        for row, (q, d, g) in enumerate(zip(queries, documents, grades, strict=True))
        if not q or not d or not _GRADE.fullmatch(str(g))
    ]
    if bad:
        places = rows.places(bad[:FIRST])
        listed = "".join(
            f'\n  {place}: "{queries[r]}", "{documents[r]}", "{grades[r]}"'
            for place, r in zip(places, bad, strict=False)
        )
        more = f"\n  … and {len(bad) - FIRST} more" if len(bad) > FIRST else ""
        raise DataError(
            f"{rows.source}: rows that cannot be read:{listed}{more}\n"
            "  A row has a query id, a document id and a whole number as grade."
        )
    lines = range(len(rows)) if rows.locate is None else rows.locate(range(len(rows)))
    return [
        (line, str(q), str(d), int(float(g)))
        for line, q, d, g in zip(lines, queries, documents, grades, strict=True)
    ]
