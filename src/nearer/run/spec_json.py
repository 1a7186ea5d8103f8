"""What run.json says of the spec and the data: plain values, paths made absolute."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nearer.callbacks import ProgressBar
from nearer.encoder.catalog import find_entry
from nearer.loop.callback import Callback
from nearer.run.door import Plan
from nearer.run.recorder import fingerprint_of
from nearer.run.registry import describe_callback
from nearer.run.secrets import without_secrets
from nearer.run.spec import MODELS, PATHS, RunSpec


def spec_to_json(spec: RunSpec) -> dict[str, Any]:
    """The options that were given, so that they parse to the same spec again.

    Objects (a Dataset, a module) cannot be written down, and secrets must not be: they stand as
    {"object": description} and must be given again.
    """
    given = {name: getattr(spec, name) for name in sorted(spec.model_fields_set)}
    for of_this_call in ("resume", "verify"):
        given.pop(of_this_call, None)
    return {name: without_secrets(_plain(value, name), name) for name, value in given.items()}


def lost(spec: Mapping[str, Any]) -> list[str]:
    """The options of a recorded spec that were objects, as faults: they must be given again."""
    return [
        f"{name}: the run was given an object ({found}), which is not on disk; give it again"
        for name, value in spec.items()
        for found in _objects(value)
    ]


def _objects(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and set(value) == {"object"}:
        yield str(value["object"])
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _objects(part)


def data_facts(plan: Plan) -> dict[str, Any]:
    """Rows and fingerprints of all data of a run, so that a change can be noticed."""
    facts: dict[str, Any] = {"train": _examples(plan.train)}
    if plan.val is not None:
        facts["val"] = _examples(plan.val)
    for evaluation in plan.evaluations:
        data = evaluation.evaluation_set
        if data is not None:
            facts[f"evaluation {evaluation.prefix(plan.model_name)}"] = {
                "queries": len(data.query),
                "index": len(data.searched),
                "query_fingerprint": fingerprint_of(data.query),
                "index_fingerprint": fingerprint_of(data.searched),
                "relevant": hashlib.sha256(np.asarray(data.relevance.counts).tobytes()).hexdigest()[
                    :16
                ],
            }
    return facts


def _examples(examples: Any) -> dict[str, Any]:
    return {
        "source": examples.source,
        "kind": examples.kind.value,
        "rows": len(examples),
        "skipped": examples.skipped,
        "fingerprint": examples.fingerprint,
    }


def _plain(value: Any, option: str = "") -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, str):
        names_file = option in PATHS or (option in MODELS and find_entry(value) is None)
        there = names_file and bool(value) and Path(value).expanduser().exists()
        return str(Path(value).expanduser().absolute()) if there else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, ProgressBar):
        return {"name": "ProgressBar"}
    if isinstance(value, Callback):
        return {key: _plain(v, key) for key, v in describe_callback(value).items()}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        inside = "name" in value  # of a callback: its options have names of their own
        return {key: _plain(v, key if inside else "") for key, v in value.items()}
    if isinstance(value, list | tuple) and option not in PATHS:
        return [_plain(v) for v in value]
    return {"object": f"{type(value).__name__}, {_size(value)}"}


def _size(value: Any) -> str:
    try:
        return f"{len(value):,} rows"
    except TypeError:
        return "no length"


HOLDS_DATA = {"train_data", "eval_data", "query_data", "index_data", "qrels", "model", "callbacks"}
"""Options that may be tables, arrays or modules, which are never compared."""


def _default(name: str, value: Any) -> bool:
    if name in HOLDS_DATA:
        return isinstance(value, tuple) and not value
    return bool(value == RunSpec.model_fields[name].default)
