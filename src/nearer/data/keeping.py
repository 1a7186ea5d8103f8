"""Large files read once: checked rows and codes are kept beside, and mapped from then on."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.data.cells import number_cells, text_cells
from nearer.data.contents import Contents, Side
from nearer.data.examples import Examples, Modality
from nearer.data.fingerprint import Fingerprint
from nearer.data.kinds import Kind, match_kind
from nearer.data.numbering import Numbering
from nearer.data.rows import FIRST, BadRows, Rows
from nearer.data.streaming import CannotStream, content_hash, open_stream
from nearer.errors import DataError

KEPT_FROM = 4 << 20
"""Bytes from which on a file is kept; reading a smaller one takes less than a second."""

KIND = "data-1"
"""Folder of the cache; another format gets another one."""

TABLE, FACTS = "rows.arrow", "facts.json"

T = TypeVar("T")


class Keep(Protocol):
    """Where what was made of some data is kept for the next time."""

    def get(
        self,
        kind: str,
        key: str,
        fill: Callable[[Path], None],
        load: Callable[[Path], T],
        about: str,
    ) -> T | None:
        """Load a folder that is kept, or fill a new one; None where that cannot be written."""


def kept_examples(
    path: Path,
    source: str,
    columns: Mapping[str, str] | None,
    on_bad_row: str,
    keep: Keep,
) -> Examples | None:
    """Examples of a file that stay on disk; the second time it is only hashed.

    Memory does not grow with the texts, only with the number of rows.

    Returns:
        What `read_examples` would give, or None where the file is small, holds pictures, cannot be
        read in pieces, or has a fault that refuses it.
    """
    if not path.is_file() or path.stat().st_size < KEPT_FROM:
        return None
    asked = json.dumps([path.suffix.lower(), sorted((columns or {}).items()), on_bad_row])
    key = f"{content_hash(path)} {asked}"
    try:
        return keep.get(
            KIND,
            key,
            lambda folder: _fill(folder, path, source, columns, on_bad_row),
            lambda folder: _load(folder, source),
            path.name,
        )
    except (CannotStream, DataError, pa.ArrowException, KeyError):
        return None  # read whole, it is read or refused for good


def _load(folder: Path, source: str) -> Examples:
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    table = pa.ipc.open_file(pa.memory_map(str(folder / TABLE))).read_all()

    def numbers(name: str) -> np.ndarray | None:
        kind = facts["arrays"].get(name)
        if kind is None:
            return None
        return np.memmap(folder / name, dtype=kind, mode="r", shape=(facts["rows"],))

    sides: tuple[Side, ...] = tuple(facts["sides"])
    modalities: tuple[Modality, ...] = tuple("text" for _ in sides)
    codes = [numbers(f"codes-{i}") for i in range(len(sides))]
    known = tuple(array for array in codes if array is not None)
    if table.num_rows != facts["rows"] or len(known) != len(sides):
        raise ValueError(f"{folder} is damaged")
    return Examples(
        Kind(facts["kind"]),
        tuple(facts["names"]),
        Contents(table, sides, known, facts["fingerprint"]),
        modalities,
        numbers("scores"),
        numbers("labels"),
        tuple(facts["class_names"]),
        source,
        skipped=facts["skipped"],
        reasons=tuple(facts["reasons"]),
    )


def _fill(
    folder: Path, path: Path, source: str, columns: Mapping[str, str] | None, on_bad_row: str
) -> None:
    stream = open_stream(path, source)
    empty = pa.table({name: pa.nulls(0) for name in stream.names})
    if len(stream.names) != len(empty.column_names):
        raise CannotStream
    kind, items, score, label = match_kind(
        Rows(empty, source, path.parent, stream.first_line), columns
    )
    if "image" in items:
        raise CannotStream
    reader = _Reader(folder, items, score, label)
    wanted = [name for name in (*items.values(), score, label) if name is not None]
    first = 0
    with reader:
        for batch in stream.pieces(list(dict.fromkeys(wanted))):
            table = pa.Table.from_batches([batch])
            rows = Rows(table, source, path.parent, locate=stream.locate, first=first)
            reader.take(rows, on_bad_row)
            first += len(rows)
    reader.finish(kind)


class _Reader:
    """Takes pieces of a file, checks them, and writes what can be used."""

    def __init__(
        self, folder: Path, items: Mapping[str, str], score: str | None, label: str | None
    ) -> None:
        self._folder, self._items, self._score, self._label = folder, items, score, label
        self._stack = ExitStack()
        self._numberings = [Numbering(folder / "query", 1)]
        if len(items) > 1:
            self._numberings.append(Numbering(folder / "document", len(items) - 1))
        self._writer: Any = None
        self._print: Fingerprint | None = None
        self._schema: pa.Schema = None
        self._numbers: dict[str, Any] = {}
        self._classes: dict[str, int] = {}
        self._rows, self._bad_rows = 0, 0
        self._reasons: list[str] = []

    def __enter__(self) -> None:
        for numbering in self._numberings:
            self._stack.callback(numbering.close)

    def __exit__(self, *failure: object) -> Literal[False]:
        self._stack.close()
        return False

    def take(self, rows: Rows, on_bad_row: str) -> None:
        """Check a piece and write it."""
        bad = BadRows(rows)
        cells = {our: text_cells(rows, their, bad) for our, their in self._items.items()}
        scores = None if self._score is None else number_cells(rows, self._score, bad)
        classes = None if self._label is None else text_cells(rows, self._label, bad, "label")
        table = pa.table(cells)
        if len(bad):
            if on_bad_row == "error":
                raise CannotStream  # all of them are told at once, with the lines
            if self._bad_rows < FIRST:
                self._reasons += bad.reasons(FIRST - self._bad_rows)
            self._bad_rows += len(bad)
            keep = pa.array(~bad.mask)
            table = table.filter(keep)
            scores = None if scores is None else scores[~bad.mask]
            classes = None if classes is None else pc.filter(classes, keep)
        if table.num_rows == 0:
            return
        for batch in table.combine_chunks().to_batches():
            self._write(batch)
        if scores is not None:
            self._append("scores", scores.astype("<f8"))
        if classes is not None:
            self._append("labels", self._labels(classes))

    def _write(self, batch: pa.RecordBatch) -> None:
        if self._writer is None:
            self._schema, self._print = batch.schema, Fingerprint(batch.schema)
            file = self._stack.enter_context((self._folder / TABLE).open("wb"))
            self._writer = self._stack.enter_context(pa.ipc.new_file(file, batch.schema))
        assert self._print is not None
        batch = batch.cast(self._schema)  # of an Arrow file, where pieces may differ
        self._writer.write_batch(batch)
        self._print.update(batch)
        for i, cells in enumerate(batch.columns):
            numbering = self._numberings[min(i, 1)]
            numbering.add(max(0, i - 1), self._rows, pa.chunked_array([cells]))
        self._rows += len(batch)

    def _append(self, name: str, numbers: np.ndarray) -> None:
        if name not in self._numbers:
            file = self._stack.enter_context((self._folder / name).open("wb"))
            self._numbers[name] = (file, numbers.dtype.str)
        self._numbers[name][0].write(numbers.tobytes())

    def _labels(self, classes: pa.ChunkedArray) -> np.ndarray:
        """Positions of the classes in the order of their appearance."""
        distinct = pc.unique(classes)
        numbers = [self._classes.setdefault(c, len(self._classes)) for c in distinct.to_pylist()]
        found = pc.index_in(classes, value_set=distinct).to_numpy()
        labels: np.ndarray = np.array(numbers, dtype="<i8")[found]
        return labels

    def finish(self, kind: Kind) -> None:
        """Write codes and facts, once all is written."""
        if not self._rows or self._print is None or len(self._classes) == 1:
            raise CannotStream
        arrays = {name: kind for name, (_, kind) in self._numbers.items()}
        for i, codes in enumerate(self._codes()):
            codes.tofile(self._folder / f"codes-{i}")
            arrays[f"codes-{i}"] = codes.dtype.str
        facts = {
            "kind": kind.value,
            "names": list(self._items),
            "sides": ["query", *["document"] * (len(self._items) - 1)],
            "rows": self._rows,
            "arrays": arrays,
            "class_names": list(self._classes),
            "skipped": self._bad_rows,
            "reasons": self._reasons,
            "fingerprint": self._print.hexdigest(),
        }
        (self._folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")

    def _codes(self) -> Iterator[np.ndarray]:
        for numbering in self._numberings:
            yield from numbering.finish(self._rows)
