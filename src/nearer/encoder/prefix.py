"""Finds the longest frozen part that an encoder begins with, by looking at it at work.

What depends on a parameter that learns has a gradient; so one pass over a few items shows, for any
architecture, how far the frozen part goes. A cut is used only if it then gives the same embeddings.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nearer.encoder.cuts import (
    EMBEDDING,
    AfterLayers,
    AfterModules,
    BeforeHead,
    Cut,
    Whole,
    first_of,
    transformer_layers,
)
from nearer.encoder.embedding import autocast, evaluating, to_device
from nearer.encoder.module import ModuleEncoder
from nearer.encoder.protocol import Encoder, Features, Side, device_of
from nearer.encoder.sentence import SentenceTransformerEncoder

Samples = Mapping[Side, Sequence[Any]]
"""A few items of each side, of different lengths if there are such."""

CARRIED = ("modality", "prompt_length")
"""What a SentenceTransformer's later modules may ask for beside the state; the same for a side."""

ROUNDING = {"fp32": 1e-5, "bf16": 3e-2, "fp16": 4e-3}
"""Largest difference, as a share of the largest number, that is the rounding of another batch."""

LOGGER = logging.getLogger("nearer")


def find_cut(encoder: Encoder, samples: Samples, *, within_layers: bool = True) -> Cut | None:
    """Find where to cut an encoder so that the part before is frozen, and as long as can be.

    Args:
        encoder: With its frozen parameters marked so; it is not changed.
        samples: Items to try it with.
        within_layers: Whether a cut may go between two layers of a transformer.

    Returns:
        None where nothing is frozen that it would pay to keep, or nothing that can be kept without
        changing the embeddings; a log line says so.
    """
    if all(p.requires_grad for p in encoder.module.parameters()):
        return None
    with evaluating(encoder.module):
        for cut in _candidates(encoder, samples, within_layers):
            try:
                off = _difference(encoder, cut, samples)
            except Exception as error:  # whatever an architecture does that nobody has thought of
                LOGGER.info("Frozen, but computed each time: %s (%s)", cut.what, error)
                continue
            if off <= ROUNDING[encoder.precision]:
                return cut
            said = f"by way of what would be kept, embeddings differ by {off:.1g}"
            LOGGER.info("Frozen, but computed each time: %s (%s)", cut.what, said)
    return None


def carried(features: Features) -> dict[str, Any]:
    """What of some features goes along with the states of their rows."""
    return {name: features[name] for name in CARRIED if name in features}


def is_random(module: nn.Module) -> bool:
    """Whether a module drops something out while the model is in training.

    A part that is frozen as a whole does not: it stays in eval mode.
    """
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    parameters = list(module.parameters())
    if parameters and not any(p.requires_grad for p in parameters):
        return False
    return any(is_random(child) for child in module.children())


def _candidates(encoder: Encoder, samples: Samples, within_layers: bool) -> Iterator[Cut]:
    module = encoder.module
    if not any(p.requires_grad for p in module.parameters()) and not is_random(module):
        yield Whole()
    elif isinstance(encoder, ModuleEncoder) and encoder.head:
        came = encoder.as_it_came().module
        if not any(p.requires_grad for p in came.parameters()) and not is_random(came):
            yield BeforeHead()
    elif isinstance(encoder, SentenceTransformerEncoder):
        yield from _of_sentence_transformer(encoder, samples, within_layers)


def _of_sentence_transformer(
    encoder: SentenceTransformerEncoder, samples: Samples, within_layers: bool
) -> Iterator[Cut]:
    modules = list(encoder.model)
    layers = transformer_layers(encoder.model) if within_layers else []
    # What was seen after each of them: whether there is a gradient; of a layer, whether in a tuple.
    learned: list[set[bool]] = [set() for _ in modules]
    at_layers: list[set[tuple[bool, bool]]] = [set() for _ in layers]

    def after_module(number: int, output: Any) -> None:
        vector = output.get(EMBEDDING)
        learned[number].add(True if vector is None else vector.requires_grad)

    def after_layer(number: int, output: Any) -> None:
        at_layers[number].add((first_of(output).requires_grad, isinstance(output, tuple)))

    with torch.enable_grad(), ExitStack() as hooks:
        for parts, note in ((modules, after_module), (layers, after_layer)):
            for number, part in enumerate(parts):
                hook = part.register_forward_hook(
                    lambda m, given, output, note=note, number=number: note(number, output)
                )
                hooks.callback(hook.remove)
        for side, items in samples.items():
            _embed(encoder, _features(encoder, items, side), side)
    steady = next((i for i, m in enumerate(modules) if is_random(m)), len(modules))
    counts = [i + 1 for i in range(steady) if learned[i] == {False}]
    if counts:
        yield AfterModules(counts[-1])
    count = next((i for i, seen in enumerate(at_layers) if _moves(seen, layers[i])), len(layers))
    if count:
        ((_, as_tuple),) = at_layers[count - 1]
        yield AfterLayers(count, len(layers), as_tuple)


def _moves(seen: set[tuple[bool, bool]], layer: nn.Module) -> bool:
    """Whether a layer's output may change while the model learns, or was not always seen."""
    return len(seen) != 1 or next(iter(seen))[0] or is_random(layer)


@torch.no_grad()
def _difference(encoder: Encoder, cut: Cut, samples: Samples) -> float:
    """Largest difference between the embeddings as they are and by way of the states."""
    off = 0.0
    for side, items in samples.items():
        whole = _embed(encoder, _features(encoder, items, side), side)
        features = _features(encoder, items, side)  # anew: what is drawn at random shows here
        with autocast(encoder, device_of(encoder.module)):
            states = cut.states(encoder, features, side)
            # In another order, and one by itself: padded otherwise, and not padded.
            back = cut.finish(encoder, states[::-1], carried(features), side).float().flip(0)
            alone = cut.finish(encoder, states[:1], carried(features), side).float()
        scale = max(1e-12, float(whole.abs().max()))
        for made, wanted in ((back, whole), (alone, whole[:1])):
            off = max(off, float((made - wanted).abs().max()) / scale)
    return off


def _embed(encoder: Encoder, features: Features, side: Side) -> Tensor:
    with autocast(encoder, device_of(encoder.module)):
        return encoder.embed(features, side).float()


def _features(encoder: Encoder, items: Sequence[Any], side: Side) -> Features:
    prepared = encoder.prepare(items, side)
    return to_device(prepared.take(np.arange(len(items))), device_of(encoder.module))
