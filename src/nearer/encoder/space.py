"""The space of an embedding: a name for all that shapes it but the item. Keeps no embeddings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import torch
import xxhash
from torch import Tensor, nn

from nearer.encoder.catalog import find_entry
from nearer.encoder.frozen import FrozenPart
from nearer.encoder.onnx import OnnxEncoder
from nearer.encoder.protocol import Encoder, Side, device_of, is_split
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.towers import TwoTowers
from nearer.encoder.vision import PictureEncoder

LIBRARIES = ("torch", "transformers", "sentence-transformers")
"""Whose code turns an item into an embedding; another version may do it otherwise."""

KNOWN = ("torch", "transformers", "sentence_transformers")
"""Packages whose modules are known by name, configuration and weights."""

NO_SHAPE = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures")
"""Entries of a configuration that say nothing of the embedding; so do all of dropout."""


_TOKENIZERS: dict[str, str] = {}
"""Hashes of tokenizers by those of their descriptions, which are long and take time to read."""

_version = lru_cache(version)


@dataclass(frozen=True)
class Space:
    """Embeddings of one space can take each other's place.

    Attributes:
        key: Name of the space; two encoders with the same one embed an item alike.
        lasting: Whether the name means the same in another process.
        frozen: Whether training leaves the side's weights alone.
    """

    key: str
    lasting: bool
    frozen: bool


def space_of(encoder: Encoder, side: Side) -> Space:
    """Name the space that a side of an encoder embeds in, by its weights and all else.

    The name covers weights and buffers, architecture and configuration, tokenizer, prompt, length,
    truncation, precision, kind of device and the versions of the libraries. It lasts where all of
    that is known: for models made of the modules of transformers and sentence-transformers. What
    the code of a user's own module does is not known, so there the name is good for that object;
    and so it is where weights are split among processes, until they are trained further.
    Of two towers it is the side's tower alone.
    """
    if isinstance(encoder, TwoTowers):
        return space_of(encoder.towers[side], side)
    if isinstance(encoder, FrozenPart):
        return space_of(encoder.plain, side)
    module = encoder.module
    split = any(map(is_split, module.parameters()))  # nobody has all of it
    weights = "split" if split else weights_digest(module)
    parts = [weights, encoder.fingerprint(side), device_of(module).type]
    shape = None if split else _shape(encoder)
    if shape is None:
        parts.append(f"object {id(module)} {id(getattr(encoder, 'prepare_items', encoder))}")
    else:
        parts += [shape, *(f"{name} {_version(name)}" for name in LIBRARIES)]
    frozen = not any(p.requires_grad for p in module.parameters())
    return Space(_hash("\n".join(parts)), shape is not None, frozen)


def weights_digest(module: nn.Module) -> str:
    """Hash all weights and buffers of a module by name, type, shape and value.

    Returns:
        32 hex digits (XXH3, which takes less time than reading the weights from disk).
    """
    whole = xxhash.xxh3_128()
    for name, tensor in module.state_dict().items():
        if not isinstance(tensor, Tensor):
            whole.update(f"{name} {tensor!r}".encode())
            continue
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(_bytes(tensor))
    return whole.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().to("cpu").contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def _hash(text: str) -> str:
    return xxhash.xxh3_128_hexdigest(text.encode())


def _shape(encoder: Encoder) -> str | None:
    """Architecture, configuration and tokenizer; None where a part is not known by name."""
    if isinstance(encoder, PictureEncoder):
        packages = [find_entry(encoder.recipe["catalog"]), version("pillow"), version("nearer")]
        return json.dumps([encoder.recipe, *packages], sort_keys=True, default=str)
    if isinstance(encoder, OnnxEncoder):
        return f"onnx {encoder.digest} onnxruntime {_version('onnxruntime')}"
    if not isinstance(encoder, SentenceTransformerEncoder):
        return None
    model = encoder.model
    if any(type(m).__module__.split(".")[0] not in KNOWN for m in model.modules()):
        return None
    parts: list[Any] = []
    for module in model:
        described = module.get_config_dict() if hasattr(module, "get_config_dict") else {}
        parts.append([_class(module), _plain(described)])
        inner = getattr(module, "auto_model", None)
        if inner is not None:
            parts.append([_class(inner), _plain(inner.config.to_dict())])
        processor = getattr(module, "processor", None)
        if processor is not None:
            parts.append([_class(processor), *_processor(processor)])
            parts.append(bool(getattr(module, "do_lower_case", False)))
    return json.dumps(parts, sort_keys=True, default=str)


def _processor(processor: Any) -> list[Any]:
    """A tokenizer, a picture processor, or one that holds both."""
    parts: list[Any] = []
    tokenizer = getattr(processor, "tokenizer", processor)
    if hasattr(tokenizer, "backend_tokenizer"):
        parts.append(_tokenizer(tokenizer.backend_tokenizer.to_str()))
    elif hasattr(tokenizer, "get_vocab"):
        parts.append(_hash(json.dumps(tokenizer.get_vocab(), sort_keys=True)))
    pictures = getattr(processor, "image_processor", processor)
    if hasattr(pictures, "image_mean"):
        parts.append(_plain(pictures.to_dict()))
    return parts


def _tokenizer(described: str) -> str:
    """Hash a tokenizer by what it says of itself, but for what is of its last call."""
    given = _hash(described)
    if given not in _TOKENIZERS:
        parts = json.loads(described) | {"truncation": None, "padding": None}
        _TOKENIZERS[given] = _hash(json.dumps(parts, sort_keys=True))
    return _TOKENIZERS[given]


def _plain(config: Mapping[Any, Any]) -> dict[str, Any]:
    """What of a configuration shapes an embedding, nested configurations included."""
    return {
        str(name): _plain(value) if isinstance(value, Mapping) else value
        for name, value in config.items()
        if name not in NO_SHAPE and "dropout" not in str(name)
    }


def _class(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
