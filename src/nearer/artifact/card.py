"""The model card of an artifact: README.md, made from its manifest, with metadata for the hub."""

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from nearer.artifact.card_use import how_to_use
from nearer.artifact.manifest import Manifest
from nearer.encoder.catalog import find_entry

HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
"""What can be a link to the hub."""
DATA = ("train_data", "eval_data", "query_data", "index_data", "qrels")
LOSSES = ("train_loss", "val_loss")
"""Metrics of the training, which say nothing to somebody who looks for a model."""


def model_card(manifest: Manifest, transformers: str = "") -> str:
    """Write the card: what it is, how to use it, what it scored, on what it was trained.

    Args:
        manifest: Of the artifact.
        transformers: How to use it by that library; empty where that can't be said in a few lines.
    """
    rows = [f"| {plain(n)} | {v:.5f} |" for n, v in manifest.metrics.items() if v is not None]
    scored = ["| metric | value |", "| --- | --- |", *rows] if rows else ["It was not evaluated."]
    data = [f"| {name} | {plain(value)} |" for name, value in _data(manifest.spec)]
    licence = _licence(manifest)
    return "\n".join(
        [
            "---",
            _metadata(manifest),
            "---",
            "",
            f"# {plain(manifest.name)}, fine-tuned",
            "",
            f"{plain(manifest.base_model)}, fine-tuned with nearer; embeddings of "
            f"{manifest.dimension} dimensions, computed in {plain(manifest.precision)}.",
            "",
            "## Use",
            "",
            how_to_use(manifest, transformers),
            "",
            "## What it scored",
            "",
            f"Definitions: {plain(manifest.definitions)}.",
            "",
            *scored,
            "",
            *(["## Data", "", "| option | file |", "| --- | --- |", *data, ""] if data else []),
            "## Licence",
            "",
            f"That of the base model: {licence}."
            if licence
            else "Not known here; look at the base model's.",
            "",
        ]
    )


def _metadata(manifest: Manifest) -> str:
    """What the hub reads, as YAML, without the lines around it."""
    from huggingface_hub import EvalResult, ModelCardData  # 0.3 s that only writers pay

    name = _line(manifest.name) or "model"
    files = dict(_data(manifest.spec))
    results = []
    for key, value in manifest.metrics.items():
        metric = _line(key).removeprefix(f"{name}_")
        if value is None or key in LOSSES or not metric:
            continue
        results.append(
            EvalResult(
                task_type="sentence-similarity",
                dataset_type="unknown",
                dataset_name=_line(files.get("query_data", "")) or "held-out queries",
                metric_type=metric,
                metric_value=value,
            )
        )
    bases = [b for b in _bases(manifest) if HUB_ID.fullmatch(b)]
    licence = _licence(manifest)
    data = ModelCardData(
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        base_model=bases[0] if len(bases) == 1 else bases or None,
        license=None if licence is None else licence.lower(),
        tags=["sentence-transformers", "nearer"],
        model_name=name if results else None,
        eval_results=results or None,
    )
    return str(data.to_yaml())


def _bases(manifest: Manifest) -> list[str]:
    base = manifest.base_model
    return base.split(" + ") if manifest.kind == "towers" else [base]


def _licence(manifest: Manifest) -> str | None:
    """The base model's licence; None where it is not known, or two towers differ in it."""
    entries = [find_entry(base) for base in _bases(manifest)]
    found = {None if entry is None else entry.licence for entry in entries}
    return found.pop() if len(found) == 1 else None


def _data(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Options that name data, each with the name of its file: never a path of somebody's disk."""
    callbacks = spec.get("callbacks")
    holders = [spec, *(callbacks if isinstance(callbacks, list) else [])]
    for holder in holders:
        for name in DATA:
            value = holder.get(name) if isinstance(holder, dict) else None
            if isinstance(value, dict):  # of something that was no file
                value = value.get("object")
            if isinstance(value, str) and value:
                yield name, PurePath(value).name


def _line(text: str) -> str:
    """A text in one line, of characters that can be seen: no break of a line, also of Unicode."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def plain(text: str) -> str:
    """A text that cannot become markup: names come from users and from other people's folders."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#|!&~" else c for c in _line(text))
