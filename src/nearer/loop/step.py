"""One batch through encoder and loss: sides embedded in micro-batches, one loss over all rows."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from nearer.data.batch import Batch, Column
from nearer.encoder.embedding import embed_prepared
from nearer.encoder.protocol import Encoder, device_of
from nearer.losses.protocol import EmbeddedBatch, Loss


def batch_loss(encoder: Encoder, loss: Loss, batch: Batch, micro_batch: int | None) -> Tensor:
    """Mean loss over the rows of a batch, with a graph where gradients are on."""
    value: Tensor = loss(embed_batch(encoder, batch, micro_batch))
    return value


def embed_batch(encoder: Encoder, batch: Batch, micro_batch: int | None = None) -> EmbeddedBatch:
    """Embed every column of a batch; columns of one side go through the encoder together."""
    device = device_of(encoder.module)
    embedded: dict[int, Tensor] = {}
    for side in ("query", "document"):
        columns = [i for i, column in enumerate(batch.columns) if column.side == side]
        if not columns:
            continue
        items = [item for i in columns for item in batch.columns[i].items]
        prepared = encoder.prepare(items, side)
        together = embed_prepared(encoder, prepared, side, micro_batch=micro_batch)
        embedded.update(zip(columns, torch.split(together, len(batch)), strict=True))
    columns_in_order = [embedded[i] for i in range(len(batch.columns))]
    return EmbeddedBatch(
        query=columns_in_order[0],
        document=columns_in_order[1] if len(columns_in_order) > 1 else None,
        negatives=tuple(columns_in_order[2:]),
        scores=_tensor(batch.scores, device, torch.float32),
        labels=_tensor(batch.labels, device, torch.int64),
        known=_tensor(known_relevant(batch.columns), device, torch.bool),
    )


def known_relevant(columns: Iterable[Column]) -> np.ndarray | None:
    """Mark the candidates that are not negatives of a query though they stand in another row.

    A candidate is known to be relevant to query i when its content is that of the document of a
    row whose query equals query i (row i included). Found by content codes, not by text.

    Returns:
        Shape (B, B * candidate columns), bool (see `EmbeddedBatch.known`); None without documents.
    """
    query, *candidates = columns
    if not candidates:
        return None
    rows = len(query.codes)
    _, queries = np.unique(query.codes, return_inverse=True)
    codes = np.concatenate([column.codes for column in candidates])
    contents, found = np.unique(codes, return_inverse=True)
    relevant = np.zeros((rows, len(contents)), dtype=bool)
    relevant[queries, found[:rows]] = True
    known: np.ndarray = relevant[queries][:, found]
    np.fill_diagonal(known, False)
    return known


def train_mode(module: nn.Module) -> None:
    """Put a module in train mode, but for submodules that are frozen as a whole.

    A frozen part computes the same for the same input all through the run: no dropout, no batch
    statistics.
    """
    module.train()
    frozen: dict[nn.Module, bool | None] = {}
    _look_for_frozen(module, frozen)
    parts = [module]
    while parts:
        part = parts.pop()
        if frozen[part]:
            part.eval()
        else:
            parts += part.children()


def _look_for_frozen(module: nn.Module, frozen: dict[nn.Module, bool | None]) -> bool | None:
    """Note of a module and all in it whether it is frozen; None where it has no parameters."""
    if module not in frozen:
        of_children = [_look_for_frozen(child, frozen) for child in module.children()]
        own = [not p.requires_grad for p in module.parameters(recurse=False)]
        known = own + [part for part in of_children if part is not None]
        frozen[module] = all(known) if known else None
    return frozen[module]


def _tensor(array: np.ndarray | None, device: torch.device, dtype: torch.dtype) -> Tensor | None:
    return None if array is None else torch.as_tensor(array, dtype=dtype, device=device)
