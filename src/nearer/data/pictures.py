"""Columns of pictures: paths, file URLs, or the bytes of files. Reads their heads, decodes none."""

import os
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.data.cells import codes_of, is_bytes, text_cells
from nearer.data.rows import BadRows, Rows
from nearer.errors import DataError

RUNS_A_PROGRAM = ("EPS", "WMF")
"""Pictures that Pillow hands to another program of the system to decode; refused."""


def image_cells(rows: Rows, column: str, bad: BadRows) -> pa.ChunkedArray:
    """A column of pictures: absolute paths, or bytes; what is no picture is noted as bad.

    A relative path refers to the folder of the data file (for objects: the working folder). Only
    the head of a picture is read here; one that breaks off in the middle shows when it is used.
    """
    cells = _plain_cells(rows, column)
    if is_bytes(cells.type):
        return _checked_bytes(cells, column, bad)
    named = pa.table({column: cells})
    cells = text_cells(Rows(named, rows.source), column, bad, "path")
    (codes,), distinct = codes_of(cells)  # so that no file is looked for twice
    folder = (rows.folder or Path()).resolve()
    paths = [_absolute(path, folder) for path in distinct.to_pylist()]
    check = _picture_check()
    # A blank cell is noted already; a null has code -1, the last of the list.
    blank = pc.utf8_trim_whitespace(distinct).to_pylist()
    faults = [check(path) if cell else "" for path, cell in zip(paths, blank, strict=True)]
    found = np.array([*faults, ""], dtype=object)[codes]
    bad.add(found != "", column, lambda row: f"{found[row]}: {paths[codes[row]]}")
    return pa.chunked_array([pa.array([*paths, ""]).take(pa.array(codes % (len(paths) + 1)))])


def picture_items(cells: Sequence[Any]) -> list[Any]:
    """The cells of a checked column as an encoder takes them: a picture is no text."""
    return [Path(cell) if isinstance(cell, str) else cell for cell in cells]


def _plain_cells(rows: Rows, column: str) -> pa.ChunkedArray:
    """The column as paths or as bytes; of the Image feature of datasets whichever it has."""
    cells = rows.table.column(column)
    if not pa.types.is_struct(cells.type):
        return cells
    parts = dict(zip((f.name for f in cells.type.fields), cells.flatten(), strict=True))
    data, paths = parts.get("bytes"), parts.get("path")
    if data is None or data.null_count == len(cells):
        if paths is None:
            raise DataError(f'{rows.source}: column "{column}" holds neither bytes nor paths.')
        return paths
    if data.null_count and paths is not None and paths.null_count < len(cells):
        raise DataError(
            f'{rows.source}: column "{column}" holds the bytes of some pictures and only the '
            "paths of others. Give all of them as one or the other."
        )
    return data


def _checked_bytes(cells: pa.ChunkedArray, column: str, bad: BadRows) -> pa.ChunkedArray:
    check = _picture_check()
    faults = [
        check(BytesIO(cell.as_buffer())) if cell.is_valid else "no picture"
        for chunk in cells.chunks
        for cell in chunk
    ]
    found = np.array(faults, dtype=object)
    bad.add(found != "", column, lambda row: str(found[row]))
    return cells


def _absolute(path: str, folder: Path) -> str:
    if path.startswith("file:"):
        parts = urlsplit(path)
        return url2pathname(parts.path) if parts.netloc in ("", "localhost") else path
    if "://" in path:
        return path
    return os.path.join(folder, os.path.expanduser(path))


def _picture_check() -> Callable[[str | BytesIO], str]:
    try:
        from PIL import Image
    except ImportError:  # then no picture can be encoded either; the encoder says so
        return lambda place: "" if isinstance(place, BytesIO) or os.path.isfile(place) else GONE

    def many(most: int | None) -> str:
        return f"a picture of more than {most:,} pixels"

    def check(place: str | BytesIO) -> str:
        if isinstance(place, str) and not os.path.isfile(place):
            return "not a file of this machine" if "://" in place else GONE
        try:
            with Image.open(place) as picture:
                width, height = picture.size
                if picture.format in RUNS_A_PROGRAM:
                    return f"a picture in {picture.format}, which is not decoded"
            most = Image.MAX_IMAGE_PIXELS
            return many(most) if most and width * height > most else ""
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            return many(Image.MAX_IMAGE_PIXELS)
        except Exception:  # Pillow raises what its many decoders raise
            return "not a picture"

    return check


GONE = "no such file"
