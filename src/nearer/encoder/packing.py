"""Texts one after the other in a single row, without padding, for models that can be given such.

The features are those that sentence-transformers makes for FlashAttention; here the attention is
torch's own, in `nearer.encoder.segments`.
"""

import logging
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from nearer.encoder.embedding import evaluating
from nearer.encoder.protocol import Features, Side, device_of, is_split
from nearer.encoder.segments import PackedAttention, Segments

if TYPE_CHECKING:
    from nearer.encoder.sentence import SentenceTransformerEncoder

ENDS = "cu_seq_lens_q"
"""Name of what says where texts begin, as sentence-transformers' pooling looks for it."""

SAMPLE = (
    "a rather long text, in which there is more than one thing to be found",
    "what is it, and where?",
    "nothing",
)
"""What a model is tried with; longest first."""

ROUNDING = 1e-5
"""Largest difference, as a share of the largest number, that is taken for float32's rounding."""

KNOWN = {"input_ids", "attention_mask", "token_type_ids"}

LOGGER = logging.getLogger("nearer")


def packed(features: Features) -> Features:
    """Put the texts of a batch one after the other, padding left out.

    Args:
        features: Tensors of shape (n, longest), `attention_mask` among them, and scalars.

    Returns:
        Tensors of shape (1, tokens), `position_ids` within each text, and `cu_seq_lens_q`, shape
        (n + 1,): where texts begin, and where the last one ends. No mask.

    Example:
        >>> ids = torch.tensor([[5, 6, 7], [8, 9, 0]])
        >>> row = packed({"input_ids": ids, "attention_mask": (ids > 0).long()})
        >>> row["input_ids"].tolist(), row["position_ids"].tolist(), row[ENDS].tolist()
        ([[5, 6, 7, 8, 9]], [[0, 1, 2, 0, 1]], [0, 3, 5])
    """
    real = features["attention_mask"].bool()
    row = {
        name: value[real][None]
        if isinstance(value, Tensor) and value.shape == real.shape
        else value
        for name, value in features.items()
        if name != "attention_mask"
    }
    row["position_ids"] = (real.cumsum(1) - 1)[real][None]
    row[ENDS] = nn.functional.pad(real.sum(1).cumsum(0), (1, 0))
    return row


def attending(features: Features) -> PackedAttention:
    """The context in which a model is given packed features."""
    return PackedAttention(Segments(features[ENDS].diff().numpy()))


@torch.no_grad()
def first_position(encoder: "SentenceTransformerEncoder", side: Side) -> int | None:
    """The number of a text's first position, if the model embeds texts that are packed as others.

    Found by trying, on a few texts of our own: the answer is the same in every run. Only on a CPU,
    and neither for what is compiled (each length of a row would be compiled anew) nor split.

    Returns:
        None where embeddings differ, or the model can't be given a row.
    """
    module = encoder.module
    if device_of(module).type != "cpu" or any(map(is_split, module.parameters())):
        return None
    if any(part._compiled_call_impl is not None for part in module.modules()):
        return None
    with evaluating(module), torch.autocast("cpu", enabled=False):
        try:
            return _tried(encoder, side)
        except Exception as error:  # whatever an architecture does that nobody has thought of
            LOGGER.debug("%s is given padded texts: %s", encoder.name, error)
            return None


def _tried(encoder: "SentenceTransformerEncoder", side: Side) -> int | None:
    prepared = encoder.prepare(SAMPLE, side)
    features = prepared.take(np.argsort(-prepared.lengths, kind="stable"))
    names = {name for name, value in features.items() if isinstance(value, Tensor)}
    if not prepared.padded or not names <= KNOWN:
        return None
    plain = encoder.embed(features, side).float()
    for first in _first_positions(encoder.module):
        row = dict(packed(features))
        row["position_ids"] = row["position_ids"] + first
        off = float((encoder.embed(row, side).float() - plain).abs().max())
        if off <= ROUNDING * float(plain.abs().max()):
            return first
    LOGGER.debug("%s is given padded texts: packed, embeddings differ by %g", encoder.name, off)
    return None


def _first_positions(module: nn.Module) -> list[int]:
    """0, and what follows padding's number: RoBERTa and its kin leave out those up to it."""
    found = {0}
    for part in module.modules():
        table, padding = getattr(part, "position_embeddings", None), vars(part).get("padding_idx")
        if isinstance(padding, int) and isinstance(table, nn.Embedding):
            found.add(padding + 1)
    return sorted(found)
