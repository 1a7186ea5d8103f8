"""Checkpoints on disk: written whole or not at all, checked when read. Decides not when."""

import contextlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from nearer.artifact.atomic import new_folder
from nearer.artifact.manifest import hash_files
from nearer.errors import ArtifactError
from nearer.run.packing import pack, unpack

VALUES, TENSORS, MANIFEST = "values.json", "tensors.safetensors", "manifest.json"
FORMAT = 1
KEPT = 2
"""Checkpoints that stay: the last, and the one before it in case the last is damaged."""


def write_checkpoint(folder: Path, step: int, contents: Mapping[str, Any]) -> Path:
    """Write a checkpoint and remove all but the last two.

    Args:
        folder: Of all checkpoints of the run.
        step: Optimizer steps taken; its name.
        contents: Nested tensors and plain values.

    Raises:
        OSError: It could not be written; those before it are as they were.
        NearerError: Something in it is neither a tensor nor a plain value.
    """
    values, tensors = pack(contents)
    path = _free(folder, step)
    with new_folder(path) as temporary:
        save_file(tensors, temporary / TENSORS)
        (temporary / VALUES).write_text(json.dumps(values), encoding="utf-8")
        manifest = {"format": FORMAT, "files": hash_files(temporary)}
        # Last: a checkpoint without it is not one.
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    for old in all_checkpoints(folder)[:-KEPT]:
        _remove(old)
    return path


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, after checking every file of it.

    Raises:
        ArtifactError: It is damaged or incomplete, or a newer version wrote it.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] > FORMAT:
            raise ArtifactError(f"{path} was written by a newer nearer: upgrade it")
        found = hash_files(path)
        for name, expected in manifest["files"].items():
            if found.get(name) != expected:
                said = "is missing" if name not in found else "is damaged: its hash is another one"
                raise ArtifactError(f"{path / name} {said}")
        values = json.loads((path / VALUES).read_text(encoding="utf-8"))
        contents: dict[str, Any] = unpack(values, load_file(path / TENSORS))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ArtifactError(f"{path} cannot be read: {type(error).__name__}, {error}") from error
    return contents


def all_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run, the oldest first; what was not completed is not among them."""
    found = [p for p in folder.glob("*") if p.is_dir() and not p.name.startswith(".")]
    return sorted(found, key=lambda path: _place(path.name))


def clear_unfinished(folder: Path) -> None:
    """Remove what a process left that died while it wrote."""
    for left in folder.glob(".*.tmp"):
        shutil.rmtree(left, ignore_errors=True)


def _free(folder: Path, step: int) -> Path:
    """A name that no checkpoint has: one step may be kept before and after its evaluation."""
    name, number = f"{step:07}", 2
    while (folder / name).exists():
        name, number = f"{step:07}-{number}", number + 1
    return folder / name


def _place(name: str) -> tuple[int, int]:
    step, _, number = name.partition("-")
    return (int(step), int(number or 1)) if step.isdecimal() else (-1, 0)


def _remove(path: Path) -> None:
    """Remove a checkpoint; where that is cut short, no half of one is left under its name."""
    aside = path.with_name(f".{path.name}.old.tmp")
    with contextlib.suppress(OSError):
        path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
