"""Files and objects to `Rows`: picks the reader by suffix or type; gives no column a meaning."""

from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from nearer.data.csvfile import csv_lines, delimiter_of, parse_csv
from nearer.data.jsonfile import is_array, json_lines, parse_json
from nearer.data.objects import rows_of_object
from nearer.data.rows import Rows, quoted
from nearer.data.textfile import read_text
from nearer.errors import DataError, did_you_mean

CSV = (".csv", ".tsv", ".tab")
JSON = (".jsonl", ".ndjson", ".json")
ARROW = (".parquet", ".arrow", ".feather")
READABLE = (
    ".csv, .tsv (also .gz), .jsonl, .ndjson, .json (also .gz), .parquet, .arrow, .feather, "
    "or a folder written by datasets' save_to_disk"
)

Source = Any
"""str, Path, datasets.Dataset, pandas.DataFrame or a list of dicts."""


def read_rows(source: Source, encoding: str | None = None) -> Rows:
    """Read a file, a folder or an object into Arrow.

    Text files give strings only, so that "007" and "NA" stay as they are. Arrow files and
    datasets stay memory-mapped. CSV needs a header line.

    Args:
        source: Path of a CSV, TSV, JSON lines (all three also .gz), Parquet, Arrow or Feather
            file, or of a folder written by `Dataset.save_to_disk`; or a `datasets.Dataset`, a
            pandas DataFrame, a list of dicts.
        encoding: Of a text file; default UTF-8, or UTF-16 where a byte order mark says so.

    Returns:
        At least one row, column names unique.

    Raises:
        DataError: The file is not there, not readable, empty, or malformed; the message names
            the lines.

    Example:
        >>> rows = read_rows([{"query": "red shoes", "document": "Shoes in red leather"}])
        >>> rows.table.column_names
        ['query', 'document']
    """
    if isinstance(source, (str, Path)):
        rows = _read_path(path_of(source), encoding, str(source))
    else:
        rows = rows_of_object(source)
    names = rows.table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{rows.source}: more than one column is called {quoted(twice)}. "
            "Give every column a name of its own."
        )
    if not len(rows):
        what = "there is a header line, but no row" if rows.first_line else "there are no rows"
        raise DataError(f"{rows.source}: {what}.")
    if all(pa.types.is_null(kind) for kind in rows.table.schema.types):
        # Nothing takes no room, so such a table may claim more rows than any memory holds.
        raise DataError(f"{rows.source}: no column holds a value.")
    return rows


def path_of(source: str | Path) -> Path:
    """The path that is meant.

    Raises:
        DataError: It can be none: too long, as a text given in place of a file is, or with a zero
            byte.
    """
    text = str(source)
    try:
        text.encode("utf-8")
        path = Path(source).expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return path
    except (OSError, ValueError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or str(error).rstrip(".")
        if isinstance(error, UnicodeEncodeError):
            said = "its name is not UTF-8; rename it"
        shown = text if len(text) <= 80 else f"{text[:80]}…"
        raise DataError(
            f"{shown!r}: cannot be read ({said.lower()}). Give the path of a file that you may "
            "read, or rows as a list of dicts."
        ) from error
    return path


def _read_path(path: Path, encoding: str | None, source: str) -> Rows:
    try:
        return _by_suffix(path, encoding, source)
    except OSError as error:  # no right to read it, a disk that fails
        said = (error.strerror or str(error)).lower()
        raise DataError(
            f"{source}: cannot be read ({said}). Give a file that you may read."
        ) from error


def _by_suffix(path: Path, encoding: str | None, source: str) -> Rows:
    if path.is_dir():
        return _folder(path, source)
    if not path.exists():
        raise _missing(path, source)
    if not path.is_file():
        raise DataError(f"{source}: this is no file but a device or a pipe; save what it gives.")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = suffixes[-2] if suffixes[-1:] == [".gz"] and suffixes[1:] else path.suffix.lower()
    if suffix in CSV:
        return _csv(path, suffix, encoding, source)
    if suffix in JSON:
        return _json(path, encoding, source)
    if suffix in ARROW:
        return Rows(_arrow(path, suffix, source), source, path.parent)
    raise DataError(
        f'{source}: files that end in "{path.suffix}" are not read. Read are {READABLE}.'
    )


def _csv(path: Path, suffix: str, encoding: str | None, source: str) -> Rows:
    buffer = read_text(path, encoding, source)
    table, first_line = parse_csv(buffer, None if suffix == ".csv" else "\t", source)
    locate = csv_lines(buffer, delimiter_of(suffix, first_line))
    return Rows(table, source, path.parent, first_line, locate)


def _json(path: Path, encoding: str | None, source: str) -> Rows:
    buffer = read_text(path, encoding, source)
    locate = None if is_array(buffer) else partial(json_lines, buffer)
    return Rows(parse_json(buffer, source), source, path.parent, locate=locate)


def _arrow(path: Path, suffix: str, source: str) -> pa.Table:
    try:
        if suffix == ".parquet":
            import pyarrow.parquet  # costs 50 ms; only who reads Parquet pays

            # read_table would take folder names like "lang=en" on the way for columns
            table = pyarrow.parquet.ParquetFile(path).read()
        else:
            table = _ipc(path)
        # Arrow trusts what it maps; offsets that lie would be followed to anywhere.
        table.validate(full=True)
        return table
    except (pa.ArrowException, OSError, ValueError) as error:
        kind = "Parquet" if suffix == ".parquet" else "Arrow"
        what = "it is empty" if path.stat().st_size == 0 else str(error).rstrip(".")
        raise DataError(
            f"{source}: cannot be read as {kind} ({what}). Write it again, "
            "or give it the suffix of what it holds."
        ) from error


def _ipc(path: Path) -> pa.Table:
    file = pa.memory_map(str(path))
    try:
        return pa.ipc.open_file(file).read_all()
    except pa.ArrowInvalid:
        file.seek(0)
        return pa.ipc.open_stream(file).read_all()


def _folder(path: Path, source: str) -> Rows:
    if (path / "dataset_info.json").exists() and (path / "state.json").exists():
        import datasets

        rows = rows_of_object(datasets.load_from_disk(str(path)))
        return Rows(rows.table, source, path)
    if (path / "dataset_dict.json").exists():
        splits = sorted(p.name for p in path.iterdir() if p.is_dir())
        raise DataError(
            f"{source}: this folder holds several splits; give one of them: "
            + ", ".join(str(path / split) for split in splits)
            + "."
        )
    files = sorted(p.name for p in path.iterdir() if p.suffix.lower() in CSV + JSON + ARROW)
    inside = f" It holds {quoted(files[:8])}." if files else ""
    raise DataError(f"{source}: this is a folder; give a file.{inside}")


def _missing(path: Path, source: str) -> DataError:
    if not path.parent.is_dir():
        return DataError(f"{source}: no such file; there is no folder {path.parent}.")
    names = [p.name for p in path.parent.iterdir()]
    hint = did_you_mean(path.name, names)
    where = "" if hint else f" Looked in {path.parent.resolve()}."
    return DataError(f"{source}: no such file.{hint}{where}")
