"""Texts one after the other in a single row, without padding. Which models take such: `packable`.

The features are those that sentence-transformers makes for FlashAttention; here the attention is
torch's own, in `nearer.encoder.segments`.
"""

import torch

from nearer.encoder.protocol import Features

ENDS = "cu_seq_lens_q"
"""Name of what says where texts begin, as sentence-transformers' pooling looks for it."""

LENGTHS = "nearer_lengths"
"""Name of the tokens of each text; tells features that were packed here from all others."""

KNOWN = frozenset({"input_ids", "attention_mask", "token_type_ids"})
"""Tensors that are known to be one number a token."""


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
    row = dict(features)
    del row["attention_mask"]
    for name in KNOWN & row.keys():
        row[name] = row[name][real][None]
    lengths = real.sum(1)
    row["position_ids"] = (real.cumsum(1) - 1)[real][None]
    row[ENDS] = torch.nn.functional.pad(lengths.cumsum(0), (1, 0))
    row[LENGTHS] = lengths.numpy()
    return row
