"""Using models outside of a run: from whatever names one to an encoder, its embeddings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL.Image import Image

from nearer.artifact.manifest import is_artifact
from nearer.artifact.store import load_artifact
from nearer.data.evaluation_sets import Collection, read_collection
from nearer.data.pictures import picture_items
from nearer.data.rows import encodable
from nearer.encoder.loading import load_encoder
from nearer.encoder.protocol import Encoder, Side, untracked
from nearer.encoder.sharing import SharedEmbeddings
from nearer.encoder.store import default_store
from nearer.errors import DataError, SpecError
from nearer.run.device import check_device, make_accelerator
from nearer.run.ship import local


def load_path(path: str | Path, module: Any = None, prepare: Any = None) -> Encoder:
    """Load an artifact from its folder or URL; see `nearer.load`."""
    return load_artifact(Path(local(path)), module, prepare)


def open_encoder(model: Any, device: str = "auto") -> Encoder:
    """Load a model from an artifact, a name, a folder or an object; an encoder stays as it is."""
    check_device(device)
    model = local(model)
    if is_artifact(model):
        encoder = load_artifact(Path(model))
    elif hasattr(model, "prepare") and hasattr(model, "embed"):
        encoder = model
    else:
        encoder = load_encoder(model)
    encoder.module.to(make_accelerator(device).device)
    encoder.module.eval()
    return encoder


def encode_data(model: Any, data: Any, side: Side, device: str, track: Any = None) -> np.ndarray:
    """Embed a list of items, or those of a file; see `nearer.encode`."""
    items: Sequence[Any]
    if side not in get_args(Side):
        raise SpecError([f"side: {side!r}; must be 'query' or 'document'"])
    if isinstance(data, list) and any(isinstance(item, str | Path) for item in data):
        wrong = next((i for i, item in enumerate(data) if not isinstance(item, str | Path)), None)
        if wrong is not None:
            raise DataError(
                f"data, item {wrong}: {data[wrong]!r:.40}; a list holds texts, or paths of pictures"
            )
    if isinstance(data, list) and not all(encodable(i) for i in map(_name, data)):
        raise DataError("data: a text holds half of a surrogate pair, which is no character")
    if isinstance(data, list) and all(isinstance(i, str | Path | bytes | Image) for i in data):
        items = data
    else:
        collection = _collection(data)
        items = collection.items.to_pylist()
        items = picture_items(items) if collection.modality == "image" else items
    encoder = open_encoder(model, device)
    with (track or untracked)("Embedding", len(items)) as advance:
        return SharedEmbeddings(default_store())(encoder, items, side, advance=advance)


def _name(item: Any) -> str:
    return str(item) if isinstance(item, str | Path) else ""


def _collection(data: Any) -> Collection:
    try:
        return read_collection(data, role="index")
    except DataError as error:
        if isinstance(data, str) and not Path(data[:200]).suffix:
            raise DataError(
                f'{error} A single text is given as a list: ["{data[:40]}"].'
            ) from error
        raise
