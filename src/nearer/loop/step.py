"""One batch through encoder and loss: sides embedded in micro-batches, one loss over all rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nearer.data.batch import Batch, Column
from nearer.encoder.embedding import TOKEN_BUDGET, autocast, to_device
from nearer.encoder.grouping import like_lengths, padded
from nearer.encoder.protocol import Encoder, Prepared, Side, device_of
from nearer.losses.known import KnownPairs
from nearer.losses.protocol import EmbeddedBatch, Loss


@dataclass(frozen=True)
class Part:
    """The columns of one side of a batch, prepared together.

    Attributes:
        side: Which.
        columns: Positions of its columns in the batch.
        prepared: Their items, column after column.
        groups: The micro-batches: rows of `prepared` that are embedded together.
    """

    side: Side
    columns: list[int]
    prepared: Prepared
    groups: list[np.ndarray]


@dataclass(frozen=True)
class Work:
    """A batch that is ready to be embedded.

    Attributes:
        batch: What it is made of.
        parts: Its sides.
    """

    batch: Batch
    parts: list[Part]

    @property
    def tokens(self) -> int:
        """Tokens of all micro-batches, padding included; of pictures their number."""
        return sum(sum(padded(part.prepared.lengths, part.groups)) for part in self.parts)

    @property
    def micro_batches(self) -> list[tuple[Part, np.ndarray]]:
        """All micro-batches in the order in which they are embedded."""
        return [(part, group) for part in self.parts for group in part.groups]


def lay_out(
    encoder: Encoder, batch: Batch, micro_batch: int | None = None, budget: int = TOKEN_BUDGET
) -> Work:
    """Prepare a batch and choose its micro-batches; columns of one side go together.

    Args:
        encoder: Who prepares the items.
        batch: What to embed.
        micro_batch: Most rows of a micro-batch; None: by the budget alone.
        budget: Most tokens of a micro-batch, padding included.
    """
    parts = []
    sides: tuple[Side, Side] = ("query", "document")
    for side in sides:
        columns = [i for i, column in enumerate(batch.columns) if column.side == side]
        if columns:
            items = [item for i in columns for item in batch.columns[i].items]
            prepared = encoder.prepare(items, side)
            groups = like_lengths(prepared.lengths, micro_batch, budget)
            parts.append(Part(side, columns, prepared, groups))
    return Work(batch, parts)


def embed_group(encoder: Encoder, part: Part, group: np.ndarray) -> Tensor:
    """Embed one micro-batch: shape (rows, dimension), float32 whatever the precision."""
    features = to_device(part.prepared.take(group), device_of(encoder.module))
    return encoder.embed(features, part.side).float()


def embed_work(
    encoder: Encoder, work: Work, before: Callable[[], None] = lambda: None
) -> list[Tensor]:
    """Embed all micro-batches, in order; keeps the graph where gradients are on.

    Args:
        encoder: Who embeds.
        work: The batch.
        before: Called before each micro-batch.
    """
    embedded = []
    # One context for all, so that weights are brought to a lower precision once, not every time.
    with autocast(encoder, device_of(encoder.module)):
        for part, group in work.micro_batches:
            before()
            embedded.append(embed_group(encoder, part, group))
    return embedded


def assemble(work: Work, embedded: list[Tensor]) -> EmbeddedBatch:
    """Put embedded micro-batches back in order, as the loss wants them."""
    batch, coming = work.batch, iter(embedded)
    device = embedded[0].device
    columns: dict[int, Tensor] = {}
    for part in work.parts:
        together = torch.cat([next(coming) for _ in part.groups])
        back = np.empty(len(together), dtype=np.int64)
        back[np.concatenate(part.groups)] = np.arange(len(together))
        together = together[torch.from_numpy(back).to(device)]
        columns.update(zip(part.columns, torch.split(together, len(batch)), strict=True))
    known = known_relevant(batch.columns)
    return EmbeddedBatch(
        query=columns[0],
        document=columns.get(1),
        negatives=tuple(columns[i] for i in range(2, len(batch.columns))),
        scores=_tensor(batch.scores, device, torch.float32),
        labels=_tensor(batch.labels, device, torch.int64),
        known=None if known is None else known.to(device),
    )


def embed_batch(encoder: Encoder, batch: Batch, micro_batch: int | None = None) -> EmbeddedBatch:
    """Embed every column of a batch."""
    work = lay_out(encoder, batch, micro_batch)
    return assemble(work, embed_work(encoder, work))


def batch_loss(encoder: Encoder, loss: Loss, batch: Batch, micro_batch: int | None) -> Tensor:
    """Mean loss over the rows of a batch, with a graph where gradients are on."""
    value: Tensor = loss(embed_batch(encoder, batch, micro_batch))
    return value


def known_relevant(columns: Iterable[Column]) -> KnownPairs | None:
    """Which candidates are not negatives of a query though they stand in another row.

    A candidate is known to be relevant to query i when its content is that of the document of a
    row whose query equals query i (row i included). Found by content codes, not by text.

    Returns:
        Rows are the B queries, candidates the B documents and then each negatives column (see
        `EmbeddedBatch.known`); None without documents.
    """
    query, *candidates = columns
    if not candidates:
        return None
    return KnownPairs.of(query.codes, np.concatenate([column.codes for column in candidates]))


def train_mode(module: nn.Module) -> None:
    """Put a module in train mode, but for submodules that are frozen as a whole.

    A frozen part computes the same for the same input all through the run: no dropout, no batch
    statistics.
    """
    module.train()
    for submodule in module.modules():
        parameters = list(submodule.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            submodule.eval()


def _tensor(array: np.ndarray | None, device: torch.device, dtype: torch.dtype) -> Tensor | None:
    return None if array is None else torch.as_tensor(array, dtype=dtype, device=device)
