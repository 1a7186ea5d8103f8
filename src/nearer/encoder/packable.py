"""Which models may be given texts that are packed: found by trying, for any architecture."""

import logging

import numpy as np
import torch
from torch import nn

from nearer.encoder.embedding import evaluating
from nearer.encoder.packing import packed
from nearer.encoder.protocol import Encoder, Features, Side, device_of, is_split

SAMPLE = (
    "a rather long text, in which there is more than one thing to be found",
    "what is it, and where?",
    "nothing",
)
"""What a model is tried with."""

LONG = 1024
"""Tokens of the row that is tried: what depends on neighbours may look further than a text."""

ROUNDING = 1e-4
"""Largest difference, as a share of the largest number, that is taken for float32's rounding."""

WINDOWS = ("sliding_window", "local_attention", "attention_chunk_size")
"""Names under which a configuration says that tokens see no further than so many others."""

LOGGER = logging.getLogger("nearer")


@torch.no_grad()
def first_position(encoder: Encoder, side: Side) -> int | None:
    """The number of a text's first position, if the model embeds texts that are packed as others.

    Tried on a few texts of our own, so the answer is the same in every run. Only on a CPU. Left out
    are models that are compiled (each length of a row would be compiled anew) or split, those with
    gradient checkpointing (it runs parts of the forward pass again outside of it), and those whose
    tokens look no further than a window.

    Returns:
        None where embeddings differ, or the model can't be given a row.
    """
    module = encoder.module
    if device_of(module).type != "cpu" or any(map(_is_unfit, module.modules())):
        return None
    if any(map(is_split, module.parameters())):
        return None
    with evaluating(module), torch.autocast("cpu", enabled=False):
        try:
            return _tried(encoder, side)
        except Exception as error:  # whatever an architecture does that nobody has thought of
            LOGGER.debug("%s is given padded texts: %s", encoder.name, error)
            return None


def _is_unfit(part: nn.Module) -> bool:
    config = getattr(part, "config", None)
    return (
        part._compiled_call_impl is not None
        or getattr(part, "gradient_checkpointing", False) is True
        or any(getattr(config, name, None) is not None for name in WINDOWS)
    )


def _tried(encoder: Encoder, side: Side) -> int | None:
    prepared = encoder.prepare(SAMPLE, side)
    if not prepared.padded:
        return None
    plain = encoder.embed(prepared.take(np.arange(len(SAMPLE))), side).float()
    times = -(-LONG // int(prepared.lengths.sum()))
    rows = np.tile(np.arange(len(SAMPLE)), times)
    wanted = plain[torch.from_numpy(rows)]
    for first in _first_positions(encoder.module):
        row = _counted_from(first, packed(prepared.take(rows)))
        off = float((encoder.embed(row, side).float() - wanted).abs().max())
        if off <= ROUNDING * float(plain.abs().max()):
            return first
    LOGGER.debug("%s is given padded texts: packed, embeddings differ by %g", encoder.name, off)
    return None


def _counted_from(first: int, row: Features) -> Features:
    return {**row, "position_ids": row["position_ids"] + first}


def _first_positions(module: nn.Module) -> list[int]:
    """0, and what follows padding's number: RoBERTa and its kin leave out those up to it."""
    found = {0}
    for part in module.modules():
        table, padding = getattr(part, "position_embeddings", None), vars(part).get("padding_idx")
        if isinstance(padding, int) and isinstance(table, nn.Embedding):
            found.add(padding + 1)
    return sorted(found)
