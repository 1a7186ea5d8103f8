"""Saving an encoder as an artifact, whole or not at all, and loading one after checking it."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_model
from torch import nn

from nearer.artifact.atomic import new_folder
from nearer.artifact.card import model_card
from nearer.artifact.card_use import transformers_use
from nearer.artifact.manifest import FILENAME, Kind, Manifest, hash_files, read_manifest, verify
from nearer.encoder.loading import load_sentence_transformer
from nearer.encoder.module import WEIGHTS, ModuleEncoder, Prepare
from nearer.encoder.onnx import OnnxEncoder
from nearer.encoder.packaged import rebuilt
from nearer.encoder.protocol import Encoder, Side
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.towers import FOLDERS, TwoTowers
from nearer.encoder.vision import PictureEncoder
from nearer.errors import ArtifactError


def kind_of(encoder: Encoder) -> Kind:
    """How an encoder is laid out on disk."""
    if isinstance(encoder, SentenceTransformerEncoder):
        return "sentence-transformers"
    return "towers" if isinstance(encoder, TwoTowers) else "module"


def save_artifact(encoder: Encoder, folder: Path, manifest: Manifest) -> Manifest:
    """Write an encoder, its card and its manifest; the manifest with the hashes comes last.

    A folder that was there stays until the new one is complete.

    Returns:
        The manifest as written.
    """
    manifest = replace(manifest, recipes=_recipes(encoder))
    with new_folder(folder) as temporary:
        encoder.save(temporary)
        prompt = None
        if isinstance(encoder, SentenceTransformerEncoder):
            prompt = encoder.prompt("query")
        card = model_card(manifest, transformers_use(temporary, prompt))
        (temporary / "README.md").write_text(card, encoding="utf-8")
        written = replace(manifest, files=hash_files(temporary))
        (temporary / FILENAME).write_text(written.to_json(), encoding="utf-8")
    return written


def load_artifact(
    folder: Path, module: nn.Module | None = None, prepare: Prepare | None = None
) -> Encoder:
    """Load an artifact as an encoder, at the precision that it records.

    Args:
        folder: The artifact.
        module: For an artifact of the user's own class: a module to put the weights into.
        prepare: Its function to prepare items, where it has no method of that name.

    Raises:
        ArtifactError: It is damaged, incomplete, or needs `module`.
        ModelError: The encoder in it cannot be loaded.
    """
    manifest = read_manifest(folder)
    verify(folder, manifest)
    if manifest.kind == "module":
        return _load_module(folder, manifest, module, prepare)
    if manifest.kind == "onnx":
        return load_exported(folder, manifest)
    if manifest.kind == "towers":
        query, index = (_tower(folder / FOLDERS[side], manifest, side) for side in FOLDERS)
        return TwoTowers(query, index)
    model = load_sentence_transformer(str(folder))
    return SentenceTransformerEncoder(model, manifest.name, manifest.precision)


def load_exported(folder: Path, manifest: Manifest) -> OnnxEncoder | TwoTowers:
    """Load the graphs of a folder as an encoder: one for both sides, or one each."""
    prompts = manifest.export.get("prompts", {})
    content = json.dumps([manifest.files, prompts], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()
    if not (folder / FOLDERS["query"]).is_dir():
        return OnnxEncoder(folder, manifest.name, prompts, digest)
    query, index = (
        OnnxEncoder(folder / part, manifest.name, prompts, f"{digest} {part}")
        for part in FOLDERS.values()
    )
    both = TwoTowers(query, index)
    both.name = manifest.name
    return both


def _recipes(encoder: Encoder) -> dict[str, dict[str, Any]]:
    """How the modules of the catalog in an encoder are built, by their folder."""
    parts = (
        {FOLDERS[side]: tower for side, tower in encoder.towers.items()}
        if isinstance(encoder, TwoTowers)
        else {".": encoder}
    )
    return {name: part.recipe for name, part in parts.items() if isinstance(part, PictureEncoder)}


def _tower(folder: Path, manifest: Manifest, side: Side) -> Encoder:
    names = manifest.name.split("-to-", 1)
    name = names[0] if side == "query" else names[-1]
    recipe = manifest.recipes.get(FOLDERS[side])
    if recipe is not None:
        return _rebuilt(folder, recipe, name, manifest)
    return SentenceTransformerEncoder(
        load_sentence_transformer(str(folder)), name, manifest.precision
    )


def _rebuilt(folder: Path, recipe: dict[str, Any], name: str, manifest: Manifest) -> Encoder:
    encoder = rebuilt(recipe, name)
    encoder.precision = manifest.precision
    _fill(encoder.module, folder)
    return encoder


def _load_module(
    folder: Path, manifest: Manifest, module: nn.Module | None, prepare: Prepare | None
) -> Encoder:
    recipe = manifest.recipes.get(".")
    if recipe is not None and module is None:
        return _rebuilt(folder, recipe, manifest.name, manifest)
    if module is None:
        raise ArtifactError(
            f"{folder} holds the weights of a {manifest.module_class}; "
            "give module=…, an instance of it"
        )
    _fill(module, folder)
    return ModuleEncoder(module, prepare, manifest.name, manifest.dimension, manifest.precision)


def _fill(module: nn.Module, folder: Path) -> None:
    """Put the weights of an artifact into a module, and it into eval mode."""
    try:
        load_model(module, str(folder / WEIGHTS))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ArtifactError(
            f"{folder} does not fit the module {type(module).__name__}: {reason}"
        ) from error
    module.eval()
