"""Queries and index of an evaluation from files; what is relevant to what is in qrels.py."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.data.cells import codes_of, text_cells
from nearer.data.collection import Collection
from nearer.data.columns import OnBadRow
from nearer.data.kinds import names_in
from nearer.data.pictures import image_cells
from nearer.data.qrels import Judgments, Qrels, judgments, read_qrels
from nearer.data.reading import Source, read_rows
from nearer.data.rows import FIRST, BadRows, Rows, quoted, refuse
from nearer.errors import DataError, did_you_mean

__all__ = [
    "Collection",
    "Judgments",
    "Qrels",
    "judgments",
    "read_beir",
    "read_collection",
    "read_qrels",
]

Role = Literal["query", "index"]
_NAMES = ("id", "_id", "text", "title", "image", "label")


def read_collection(
    source: Source,
    columns: Mapping[str, str] | None = None,
    role: Role = "query",
    on_bad_row: OnBadRow = "error",
    encoding: str | None = None,
    items: bool = True,
) -> Collection:
    """Read the queries or the index of an evaluation.

    Columns are `id` (or BEIR's `_id`; without it the number of the row, from 0, is the id),
    `text` or `image`, and `label` where relevance is by label. A `title` that is not empty is put
    before the text, with a space between. Other columns are passed over.

    Args:
        source: What `read_rows` reads: a path, a Dataset, a DataFrame, a list of dicts.
        columns: Our name → your name, where yours differ: `{"text": "question"}`.
        role: What the set is for; messages say it.
        on_bad_row: "error" refuses the set if a row cannot be used; "skip" leaves such rows out
            and counts them. Ids that are row numbers stay those of the file.
        encoding: Of a text file; default UTF-8, or UTF-16 where a byte order mark says so.
        items: Whether texts or pictures are needed; without, the ids stand in their place.

    Raises:
        DataError: The set cannot be read, has neither texts nor pictures (or both), ids that
            stand twice, or rows that cannot be used.
        SpecError: Several of these; all are listed.

    Example:
        >>> index = read_collection([{"id": 7, "text": "Shoes in red leather"}], role="index")
        >>> index.ids.to_pylist()
        ['7']
    """
    rows = read_rows(source, encoding)
    names = names_in(rows, columns, _NAMES)
    item = _item(rows, names, role) if items else ""
    bad = BadRows(rows)
    content = None
    if item == "image":
        content = image_cells(rows, names["image"], bad)
    elif item == "text":
        rows, theirs = _titled(rows, names)
        content = text_cells(rows, theirs, bad)
    id_column = names.get("id", names.get("_id"))
    if id_column is None:
        ids = pa.chunked_array([pc.cast(pa.array(np.arange(len(rows))), pa.string())])
    else:
        ids = pc.cast(text_cells(rows, id_column, bad, "id"), pa.string())
    labels = text_cells(rows, names["label"], bad, "label") if "label" in names else None

    faults = [bad.fault()] if len(bad) and on_bad_row == "error" else []
    if id_column is not None:
        faults += _twice(rows, ids, id_column, ~bad.mask)
    if bad.mask.all() and not faults:
        faults.append("\n".join([*bad.fault().splitlines()[:-1], "  No row is left."]))
    if faults:
        refuse(faults)
    if len(bad):
        keep = pa.array(~bad.mask)
        ids, content = pc.filter(ids, keep), None if content is None else pc.filter(content, keep)
        labels = None if labels is None else pc.filter(labels, keep)
    return Collection(
        ids,
        ids if content is None else content,
        "image" if item == "image" else "text",
        labels,
        rows.source,
        skipped=len(bad),
        reasons=bad.reasons(),
    )


def read_beir(folder: str | Path, split: str = "test") -> tuple[Collection, Collection, Qrels]:
    """Read a folder in BEIR form: `corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv`.

    Queries that the split does not judge are left out, as the file holds those of all splits.

    Returns:
        Queries, index, judgments.

    Raises:
        DataError: A part is missing (all are named), or malformed.
    """
    folder = Path(folder).expanduser()
    wanted = folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels" / f"{split}.tsv"
    missing = [str(path.relative_to(folder)) for path in wanted if not path.is_file()]
    if missing:
        splits = sorted(path.stem for path in (folder / "qrels").glob("*.tsv"))
        there = f" Splits with qrels: {quoted(splits)}.{did_you_mean(split, splits)}"
        raise DataError(
            f"{folder}: {'no such folder' if not folder.is_dir() else 'not a BEIR folder'}; "
            f"missing: {', '.join(missing)}.{there if splits and folder.is_dir() else ''}"
        )
    corpus, queries, qrels = wanted
    judged = read_qrels(qrels)
    query = read_collection(queries, role="query")
    keep = pc.is_in(query.ids, value_set=judged.query_ids)
    if not pc.any(keep).as_py():
        raise DataError(
            f"{qrels}: judges no query of {queries}; its first is "
            f'"{judged.query_ids[0]}", theirs "{query.ids[0]}".'
        )
    query = Collection(
        pc.filter(query.ids, keep),
        pc.filter(query.items, keep),
        query.modality,
        None if query.labels is None else pc.filter(query.labels, keep),
        query.source,
    )
    return query, read_collection(corpus, role="index"), judged


def _item(rows: Rows, names: Mapping[str, str], role: Role) -> str:
    there = rows.table.column_names
    items = [name for name in ("text", "image") if name in names]
    if len(items) == 1:
        return items[0]
    if items:
        raise DataError(
            f"{rows.source} ({role} data): there are texts and pictures; say which to embed by "
            "giving the other column another name, or drop it from the file."
        )
    header = ""
    if rows.first_line is not None:
        header = f" The first line of the file is taken for its header: {rows.first_line[:120]}"
    first = next((name for name in there if name not in _NAMES), there[0] if there else "…")
    raise DataError(
        f'{rows.source} ({role} data): no column "text" or "image" among {quoted(there)}. Say '
        f'which it is: columns={{"text": "{first}"}}.{header}'
    )


def _titled(rows: Rows, names: Mapping[str, str]) -> tuple[Rows, str]:
    """Rows whose text has the title before it; the rows as they are where there is no title."""
    theirs = names["text"]
    if "title" not in names:
        return rows, theirs
    title, text = (
        pc.fill_null(pc.cast(rows.table.column(names[name]), pa.large_string()), "")
        for name in ("title", "text")
    )
    blank = pa.scalar(" ", pa.large_string())
    text = pc.utf8_trim_whitespace(pc.binary_join_element_wise(title, text, blank))
    position = rows.table.column_names.index(theirs)
    table = rows.table.set_column(position, theirs, text)
    return Rows(table, rows.source, rows.folder, rows.first_line, rows.locate), theirs


def _twice(rows: Rows, ids: pa.ChunkedArray, column: str, usable: np.ndarray) -> list[str]:
    """The fault of ids that stand on several rows, if there are any."""
    (codes,), distinct = codes_of(ids)
    numbers = np.flatnonzero(usable)
    _, first, count = np.unique(codes[numbers], return_index=True, return_counts=True)
    repeated = numbers[np.sort(first[count > 1])]
    if not len(repeated):
        return []
    lines = []
    for row in repeated[:FIRST].tolist():
        places = rows.places(np.flatnonzero(codes == codes[row])[:3].tolist())
        lines.append(f'\n  "{distinct[codes[row]]}" on {" and ".join(places)}')
    more = f"\n  … and {len(repeated) - FIRST} more" if len(repeated) > FIRST else ""
    return [
        f'{rows.source}, column "{column}": {len(repeated)} '
        f"{'id stands' if len(repeated) == 1 else 'ids stand'} on more than one row:"
        f"{''.join(lines)}{more}\n  Every row needs an id of its own."
    ]
