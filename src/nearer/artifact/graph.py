"""From an encoder to ONNX: its graph, what prepares its input, int8. Checks nothing."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers.base.modules import Router
from tokenizers import Tokenizer
from torch import Tensor, nn

from nearer.encoder.embedding import evaluating
from nearer.encoder.onnx import MODEL, OUTPUT, PARTS, PIXELS, TOKENIZER
from nearer.encoder.protocol import Encoder, Side
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.towers import FOLDERS, TwoTowers
from nearer.errors import ModelError

OPSET = 17
"""The version of ONNX's operators that is written: the first one with layer normalisation."""


@dataclass(frozen=True)
class _Part:
    """One side of an encoder, and what a batch of it looks like."""

    encoder: SentenceTransformerEncoder
    side: Side
    tensors: dict[str, Tensor]
    rest: dict[str, Any]

    @property
    def form(self) -> tuple[Any, ...]:
        return tuple(self.tensors), self.rest


class _Graph(nn.Module):
    """An encoder as a function of its tensors, by position."""

    def __init__(self, part: _Part) -> None:
        super().__init__()
        self.part, self.module = part, part.encoder.module

    def forward(self, *tensors: Tensor) -> Tensor:
        """Embed: shape (n, dimension)."""
        features = dict(zip(self.part.tensors, tensors, strict=True)) | self.part.rest
        return self.part.encoder.embed(features, self.part.side)


def write_graphs(encoder: Encoder, items: Mapping[Side, Sequence[Any]], folder: Path) -> None:
    """Write an encoder as graphs in float32, each with what prepares its input.

    One graph serves both sides where they run the same; else (two towers, texts that search
    pictures) each side has a folder of its own, `query/` and `index/`.

    Args:
        encoder: On the CPU.
        items: A few real items of each side.
        folder: Where to; it exists.

    Raises:
        ModelError: An encoder that is no model of sentence-transformers, or has inputs that are
            not known.
    """
    parts = [_part(encoder, side, items[side]) for side in FOLDERS]
    routed = any(isinstance(module, Router) for module in encoder.module.modules())
    two = isinstance(encoder, TwoTowers) or routed or parts[0].form != parts[1].form
    for part in parts if two else parts[:1]:
        target = folder / FOLDERS[part.side] if two else folder
        target.mkdir(exist_ok=True)
        _trace(part, target / MODEL)
        _write_preparation(part, target)


def quantise(path: Path) -> None:
    """Turn the weights of a graph's matrix products and tables into int8, in place."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    smaller = path.with_suffix(".int8")
    with _silent():
        quantize_dynamic(str(path), str(smaller), weight_type=QuantType.QInt8, per_channel=True)
    smaller.replace(path)


def _part(encoder: Encoder, side: Side, items: Sequence[Any]) -> _Part:
    tower = encoder.towers[side] if isinstance(encoder, TwoTowers) else encoder
    if not isinstance(tower, SentenceTransformerEncoder):
        raise ModelError(
            f"{encoder.name} is a module of your own, whose preparation of the input cannot be "
            "exported; give the module itself to torch.onnx.export"
        )
    rows = [items[0], items[-1]]  # of two rows, so that no dimension is taken for a constant
    features = tower.prepare(rows, side).take(np.arange(2))
    tensors = {name: value for name, value in features.items() if isinstance(value, Tensor)}
    unknown = set(tensors) - {*PARTS, PIXELS}
    if unknown or not tensors:
        raise ModelError(
            f"{encoder.name} cannot be exported: it takes "
            f"{', '.join(sorted(unknown)) or 'no tensors'}; known are {', '.join((*PARTS, PIXELS))}"
        )
    rest = {name: value for name, value in features.items() if name not in tensors}
    return _Part(tower, side, tensors, rest)


def _trace(part: _Part, path: Path) -> None:
    """Trace a part. Whether the trace holds for other rows and lengths is for the caller to check.

    The tracer is the older of torch's two: it takes a second where the other takes ten, and needs
    no package of its own.
    """
    axes = {name: {0: "batch"} for name in (*part.tensors, OUTPUT)}
    for name in part.tensors:
        if name in PARTS:
            axes[name][1] = "length"
    graph = _Graph(part)
    try:
        with evaluating(graph), torch.no_grad(), _silent():
            torch.onnx.export(
                graph,
                tuple(part.tensors.values()),
                str(path),
                input_names=list(part.tensors),
                output_names=[OUTPUT],
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
    except Exception as error:  # whatever a model's code does when it is traced
        said = str(error).strip().split("\n")[0]
        raise ModelError(f"{part.encoder.name} cannot be traced: {said}") from error


def _write_preparation(part: _Part, folder: Path) -> None:
    """Write what turns items into tensors, with its settings, so that it can be used alone."""
    processor: Any = part.encoder.model[0].processor
    if PIXELS in part.tensors:
        getattr(processor, "image_processor", processor).save_pretrained(str(folder))
        return
    tokenizer = getattr(processor, "tokenizer", processor)
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise ModelError(
            f"{part.encoder.name} cannot be exported: its tokenizer has no fast form "
            "(tokenizer.json)"
        )
    # The library has set truncation by the model's length when the sample was prepared.
    alone = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    alone.enable_padding(
        direction=tokenizer.padding_side,
        pad_id=tokenizer.pad_token_id,
        pad_type_id=tokenizer.pad_token_type_id,
        pad_token=tokenizer.pad_token,
    )
    alone.save(str(folder / TOKENIZER))


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the libraries' advice to whoever writes such code from users, who can't act on it."""
    root = logging.getLogger()
    disabled, root.disabled = root.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.disabled = disabled
