"""Rows to examples: which column is what, and which rows can be used."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.data.cells import codes_of, number_cells, text_cells
from nearer.data.contents import Contents
from nearer.data.examples import Examples, Modality, Side
from nearer.data.keeping import Keep, kept_examples
from nearer.data.kinds import Kind, match_kind
from nearer.data.pictures import image_cells
from nearer.data.reading import Source, path_of, read_rows
from nearer.data.rows import BadRows, refuse

__all__ = ["Examples", "Kind", "OnBadRow", "read_examples"]

OnBadRow = Literal["error", "skip"]


def read_examples(
    source: Source,
    columns: Mapping[str, str] | None = None,
    on_bad_row: OnBadRow = "error",
    encoding: str | None = None,
    keep: Keep | None = None,
) -> Examples:
    """Read training data; the names of its columns say what kind it is.

    Known are `query,document[,negative…]`, `text1,text2,score`, `text,label`, `image,label` and
    `text,image` (the text is the query side). Other columns are passed over. Rows with an empty
    text, a number that is none or a picture that is not there cannot be used. Relative paths of
    pictures refer to the folder of the data file.

    Args:
        source: What `read_rows` reads: a path, a Dataset, a DataFrame, a list of dicts.
        columns: Our name → your name, where yours differ: `{"query": "q", "document": "d"}`.
        on_bad_row: "error" refuses the data if a row cannot be used, with a count and the first
            lines; "skip" leaves such rows out and counts them in `skipped`.
        encoding: Of a text file; default UTF-8, or UTF-16 where a byte order mark says so.
        keep: Where the rows of large files are kept, checked and with their codes; they are then
            never in memory whole, and read no second time. None for nowhere.

    Raises:
        DataError: The data cannot be read, its columns fit no kind or several, rows cannot be
            used, or all labels are the same.
        SpecError: Several of these; all are listed.

    Example:
        >>> examples = read_examples([{"q": "red shoes", "a": "Shoes in red leather"}],
        ...                          columns={"query": "q", "document": "a"})
        >>> examples.kind, len(examples)
        (<Kind.PAIRS: 'pairs'>, 1)
    """
    if keep is not None and encoding is None and isinstance(source, str | Path):
        kept = kept_examples(path_of(source), str(source), columns, on_bad_row, keep)
        if kept is not None:
            return kept
    rows = read_rows(source, encoding)
    kind, items, score, label = match_kind(rows, columns)
    bad = BadRows(rows)
    names = tuple(items)
    modalities: tuple[Modality, ...] = tuple("image" if n == "image" else "text" for n in names)
    cells = {
        our: (image_cells if our == "image" else text_cells)(rows, their, bad)
        for our, their in items.items()
    }
    scores = None if score is None else number_cells(rows, score, bad)
    classes = None if label is None else text_cells(rows, label, bad, "label")

    faults = [bad.fault()] if len(bad) and on_bad_row == "error" else []
    table = pa.table(cells)
    if len(bad):
        keep = pa.array(~bad.mask)
        table = table.filter(keep)
        scores = None if scores is None else scores[~bad.mask]
        classes = None if classes is None else pc.filter(classes, keep)
    labels, class_names = None, tuple[str, ...]()
    if table.num_rows == 0 and not faults:
        listed = bad.fault().splitlines()[:-1]
        faults.append("\n".join([*listed, "  No row is left to learn from."]))
    elif classes is not None:
        (labels,), distinct = codes_of(classes)
        class_names = tuple(distinct.to_pylist())
        if len(class_names) == 1:
            faults.append(
                f'{rows.source}, column "{label}": all rows have the label "{class_names[0]}"; '
                "learning from labels takes two classes or more."
            )
    if faults:
        refuse(faults)
    documents: list[Side] = ["document"] * (len(names) - 1)
    sides: tuple[Side, ...] = ("query", *documents)
    return Examples(
        kind,
        names,
        Contents(table, sides, _codes(table, sides)),
        modalities,
        scores,
        labels,
        class_names,
        rows.source,
        skipped=len(bad),
        reasons=bad.reasons(),
    )


def _codes(table: pa.Table, sides: tuple[Side, ...]) -> tuple[np.ndarray, ...]:
    """Codes of the columns, those of one side numbered together."""
    (query,), _ = codes_of(table.column(0))
    documents = [table.column(i) for i in range(1, len(sides))]
    return (query, *(codes_of(*documents)[0] if documents else ()))
