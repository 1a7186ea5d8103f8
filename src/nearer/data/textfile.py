"""Text files as UTF-8 bytes: gzip, encodings, byte order marks. Knows no format."""

import gzip
import zlib
from pathlib import Path

import pyarrow as pa

from nearer.errors import DataError

FREE = 1 << 28
"""Bytes that a compressed file may always unpack to."""

BOMB = 200
"""Times its size that a larger one may unpack to; text is packed to a tenth, seldom a hundredth."""

_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_MAGIC = {
    b"PAR1": "a Parquet file; name it .parquet",
    b"ARROW1": "an Arrow file; name it .arrow",
    b"PK\x03\x04": "a zip or Excel file; unpack it, or save the sheet as CSV",
    b"\x1f\x8b": "compressed with gzip; name it .gz",
    b"\xd0\xcf\x11\xe0": "an old Excel file; save the sheet as CSV",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"%PDF": "a PDF file",
}


def read_text(path: Path, encoding: str | None, source: str) -> pa.Buffer:
    """The bytes of a text file in UTF-8, without byte order mark.

    A plain UTF-8 file is mapped, not copied, and not checked here: whoever parses it finds an
    invalid byte at no cost and asks `encoding_fault` for the line.

    Args:
        path: The file; `.gz` is decompressed.
        encoding: Its encoding; default UTF-8, or UTF-16/32 where a byte order mark says so.
        source: What messages call the file.

    Raises:
        DataError: The file is empty, binary, damaged or not in that encoding.
    """
    buffer = _unzip(path, source) if path.suffix.lower() == ".gz" else _map(path)
    if buffer.size == 0:
        raise DataError(f"{source}: the file is empty.")
    start = buffer.slice(0, min(8192, buffer.size)).to_pybytes()
    if encoding is None:
        encoding = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    if encoding is not None:
        buffer = pa.py_buffer(_decode(buffer, encoding, source).encode("utf-8"))
        start = buffer.slice(0, min(8192, buffer.size)).to_pybytes()
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise DataError(f"{source}: this is not a text file but {what}.")
    if b"\0" in start:
        raise DataError(
            f"{source}: this is not a text file (it holds zero bytes). If it is UTF-16 without a "
            "byte order mark, convert it: iconv -f utf-16le -t utf-8 OLD > NEW."
        )
    buffer = buffer.slice(3) if start.startswith(b"\xef\xbb\xbf") else buffer
    if buffer.size == 0:
        raise DataError(f"{source}: the file is empty.")
    return buffer


def encoding_fault(buffer: pa.Buffer, source: str) -> DataError | None:
    """The error that names the first line which is not UTF-8, or None if all are."""
    data = buffer.to_pybytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return DataError(
            f"{source}, line {line}: not UTF-8 (byte 0x{data[error.start]:02x}). Convert the file: "
            "iconv -f cp1252 -t utf-8 OLD > NEW, if it was saved on Windows."
        )
    return None


def _map(path: Path) -> pa.Buffer:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return pa.py_buffer(b"")
    with pa.memory_map(str(path)) as file:
        return file.read_buffer()


def _unzip(path: Path, source: str) -> pa.Buffer:
    most = max(FREE, BOMB * path.stat().st_size)
    parts, size = [], 0
    try:
        with gzip.open(path) as file:
            while part := file.read(1 << 22):
                parts.append(part)
                size += len(part)
                if size > most:
                    raise DataError(
                        f"{source}: unpacks to more than {BOMB} times its size, which no text "
                        "does. Unpack it yourself and give the file, if it is what you want."
                    )
        return pa.py_buffer(b"".join(parts))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{source}: cannot be decompressed ({error}). Make it again with gzip, "
            "or take .gz off its name if it is not compressed."
        ) from error


def _decode(buffer: pa.Buffer, encoding: str, source: str) -> str:
    data: bytes = buffer.to_pybytes()
    try:
        return data.decode(encoding)
    except LookupError as error:
        raise DataError(
            f'{source}: there is no encoding "{encoding}"; common ones are utf-8, utf-16, cp1252, '
            "latin-1, shift_jis, gb18030."
        ) from error
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="replace").count("\n") + 1
        raise DataError(
            f"{source}, line {line}: not {encoding} ({error.reason}). Name the right encoding, or "
            "convert the file to UTF-8."
        ) from error
