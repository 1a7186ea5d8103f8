"""Objects in memory to `Rows`: Dataset, DataFrame, list of dicts; imports neither library."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nearer.data.rows import Rows, quoted, table_of
from nearer.errors import DataError


def rows_of_object(source: Any) -> Rows:
    """Rows of a `datasets.Dataset` (stays memory-mapped), a pandas DataFrame or a list of dicts.

    A Dataset's class labels become their names.

    Raises:
        DataError: It is none of these, or its values have no type in Arrow.
    """
    datasets = sys.modules.get("datasets")
    if datasets is not None:
        if isinstance(source, datasets.Dataset):
            return Rows(_dataset(source, datasets), "Dataset")
        if isinstance(source, (datasets.DatasetDict, datasets.IterableDatasetDict)):
            raise DataError(
                f"DatasetDict: give one of its splits: {quoted(map(str, source))}, "
                'for example data["train"].'
            )
        if isinstance(source, datasets.IterableDataset):
            raise DataError(
                "IterableDataset: a stream has no length and cannot be shuffled. Load it with "
                "streaming=False."
            )
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return Rows(_frame(source), "DataFrame")
    if isinstance(source, Sequence) and not isinstance(source, (str, bytes)):
        return Rows(_records(source), "list")
    raise DataError(
        f"{type(source).__name__}: this is not read as data. Give a path, a datasets.Dataset, "
        'a pandas DataFrame or a list of dicts, [{"query": "…", "document": "…"}].'
    )


def _dataset(source: Any, datasets: Any) -> pa.Table:
    # Without a selection this is the mapped file itself; a selection is copied in its order.
    table = source.data.table if source._indices is None else source.with_format("arrow")[:]
    for position, name in enumerate(table.column_names):
        feature = source.features.get(name)
        if isinstance(feature, datasets.ClassLabel) and feature.names:
            names = pa.array(feature.names)
            known = table.column(name).combine_chunks()
            known = pc.if_else(pc.less(known, 0), None, known)
            table = table.set_column(position, name, names.take(known))
    return table


def _frame(source: Any) -> pa.Table:
    names = [str(name) for name in source.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"DataFrame: more than one column is called {quoted(twice)}. "
            "Give every column a name of its own."
        )
    columns = {}
    for position, name in enumerate(names):
        try:
            columns[name] = pa.Array.from_pandas(source.iloc[:, position])
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            # an object column of mixed values; the same rules as for a list
            values = source.iloc[:, position]
            columns[name] = _column(
                [{name: v} for v in values.astype(object).where(values.notna(), None)], "DataFrame"
            )
    return pa.table(columns)


def _column(records: list[dict[str, Any]], source: str) -> pa.ChunkedArray:
    return _tabulated(records, source).column(0)


def _records(source: Sequence[Any]) -> pa.Table:
    for position, record in enumerate(source):
        if not isinstance(record, Mapping):
            raise DataError(
                f"list, row {position}: a {type(record).__name__}, not a dict. Every row is a "
                'dict with the names of its columns: {"query": "…", "document": "…"}.'
            )
    return _tabulated(source, "list")


def _tabulated(records: Sequence[Mapping[str, Any]], source: str) -> pa.Table:
    try:
        return table_of(records)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"{source}: {error}. Cells hold texts or numbers, all of a column of one kind; give "
            "pictures as paths."
        ) from error
