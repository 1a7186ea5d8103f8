"""The texts behind the ids of a run's rankings: in memory, or read again from the run's data."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.callbacks import EvaluationCallback
from nearer.data.collection import Collection
from nearer.errors import NearerError
from nearer.evaluation.evaluation_set import EvaluationSet
from nearer.evaluation.result import plain
from nearer.run.assemble import assemble
from nearer.run.faults import EVALUATION, Faults
from nearer.run.recorder import fingerprint_of
from nearer.run.registry import build_callback
from nearer.run.spec import parse
from nearer.run.spec_json import lost


class Texts:
    """Texts of queries and documents by id; the id itself where there is no text.

    Args:
        data: What the evaluation was on; None where that is not to be had.
    """

    def __init__(self, data: EvaluationSet | None = None) -> None:
        self._data = data

    def __bool__(self) -> bool:
        return self._data is not None

    @property
    def pictures(self) -> tuple[bool, bool]:
        """Whether queries, and documents, are pictures: their texts are paths."""
        if self._data is None:
            return False, False
        return self._data.query.modality == "image", self._data.searched.modality == "image"

    def queries(self, ids: Sequence[str]) -> list[str]:
        """Texts of queries, or their ids."""
        return list(ids) if self._data is None else _items(self._data.query, ids)

    def documents(self, ids: Sequence[str]) -> list[str]:
        """Texts of documents, or their ids."""
        return list(ids) if self._data is None else _items(self._data.searched, ids)

    def query_labels(self, ids: Sequence[str]) -> list[str | None]:
        """Classes of queries; None where there are none."""
        return [None for _ in ids] if self._data is None else _labels(self._data.query, ids)

    def document_labels(self, ids: Sequence[str]) -> list[str | None]:
        """Classes of documents; None where there are none."""
        return [None for _ in ids] if self._data is None else _labels(self._data.searched, ids)

    def query_ids(self, texts: Sequence[str]) -> list[str | None]:
        """The id of the first query of each text; None where there is no such text."""
        if self._data is None:
            return [None for _ in texts]
        query = self._data.query
        if _is_bytes(query):
            return [None for _ in texts]
        rows = pc.index_in(pa.array(texts, pa.large_string()), value_set=plain(query.items))
        found: list[str | None] = plain(query.ids).take(rows).to_pylist()
        return found

    def relevant(self, query: str, documents: Sequence[str]) -> list[bool] | None:
        """Which documents are relevant to a query; None where that is not to be had."""
        if self._data is None or not documents:
            return None
        rows = _rows(self._data.query, [query]), _rows(self._data.searched, documents)
        if rows[0][0] < 0:
            return None
        gains = self._data.relevance.gains(rows[0], rows[1][None, :])[0]
        return [bool(gain > 0) for gain in gains]


def read_texts(record: dict[str, Any], evaluation: str, facts: dict[str, Any]) -> Texts:
    """Read the data of a run's evaluation again, if it is still what it was.

    Data that was given as an object, a file that is gone or has changed, a spec that no longer
    parses: all leave the ids, and none is an error, as the ids say enough.

    Args:
        record: What run.json says.
        evaluation: Name of the evaluation.
        facts: What its ranks say of the data.
    """
    try:
        callback = _callback(record, evaluation)
        if callback is None:
            return Texts()
        callback.check()
    except (NearerError, OSError):
        return Texts()
    data = callback.evaluation_set
    if data is None or _changed(data, facts):
        return Texts()
    return Texts(data)


def _callback(record: dict[str, Any], evaluation: str) -> EvaluationCallback | None:
    """Build the callback of an evaluation again; None where it was given an object."""
    spec = record["spec"]
    described = [
        one
        for one in spec.get("callbacks") or ()
        if isinstance(one, dict) and one.get("name") == EvaluationCallback.__name__
    ]
    named = [one for one in described if one.get("evaluation_name") == evaluation]
    # One without a name of its own is called like the model; there can't be two of them.
    unnamed = [one for one in described if not one.get("evaluation_name")]
    if named or unnamed:
        chosen = [*named, *unnamed][0]
        return None if lost(chosen) else cast(EvaluationCallback, build_callback(chosen))
    options = {name: value for name, value in spec.items() if name != "callbacks"}
    if lost({name: options.get(name) for name in EVALUATION}):
        return None
    faults = Faults()
    built = [c for c in assemble(parse(options), faults) if isinstance(c, EvaluationCallback)]
    faults.report()
    return built[0] if built else None


def _changed(data: EvaluationSet, facts: dict[str, Any]) -> bool:
    sides = {"query_fingerprint": data.query, "index_fingerprint": data.searched}
    return any(facts.get(key) not in (None, fingerprint_of(side)) for key, side in sides.items())


def _items(side: Collection, ids: Sequence[str]) -> list[str]:
    if _is_bytes(side):
        return list(ids)
    rows = _rows(side, ids)
    texts = plain(side.items).take(pa.array(rows, mask=rows < 0)).to_pylist()
    return [known if text is None else text for known, text in zip(ids, texts, strict=True)]


def _is_bytes(side: Collection) -> bool:
    """Whether its items are the bytes of pictures, which are nothing to read."""
    kind = side.items.type
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _labels(side: Collection, ids: Sequence[str]) -> list[str | None]:
    if side.labels is None:
        return [None for _ in ids]
    rows = _rows(side, ids)
    found: list[str | None] = plain(side.labels).take(pa.array(rows, mask=rows < 0)).to_pylist()
    return found


def _rows(side: Collection, ids: Sequence[str]) -> np.ndarray:
    """Row of each id; -1 where there is none."""
    found = pc.index_in(pa.array(ids, pa.large_string()), value_set=plain(side.ids))
    rows: np.ndarray = found.fill_null(-1).to_numpy(zero_copy_only=False)
    return rows.astype(np.int64)
