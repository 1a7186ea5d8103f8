"""One batch through encoder and loss: sides embedded in micro-batches, one loss over all rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from nearer.data.batch import Batch, Column
from nearer.encoder.embedding import TOKEN_BUDGET, autocast, to_device
from nearer.encoder.grouping import filled_up, like_lengths, padded
from nearer.encoder.packing import packed
from nearer.encoder.protocol import Encoder, Packs, Prepared, Side, device_of
from nearer.loop.ahead import prepared
from nearer.loop.shares import batch_shares, gather_columns, part_of
from nearer.loop.state import FitConfig
from nearer.loop.world import ALONE, World
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
        packed: Whether the texts of a micro-batch stand in one row, without padding.
    """

    side: Side
    columns: list[int]
    prepared: Prepared
    groups: list[np.ndarray]
    packed: bool = False

    def tokens(self, group: np.ndarray) -> int:
        """Tokens of a micro-batch, padding included; of pictures their number."""
        lengths = self.prepared.lengths
        return int(lengths[group].sum()) if self.packed else padded(lengths, [group])[0]


@dataclass(frozen=True)
class Work:
    """A batch that is ready to be embedded: all of it, or this process's rows of it.

    Attributes:
        batch: The whole of it, that of all processes.
        parts: The sides of this process's rows; none where it has no rows.
        world: The processes that share it.
        rows: For each process which rows are its own; see `nearer.loop.shares.shares`.
    """

    batch: Batch
    parts: list[Part]
    world: World = ALONE
    rows: list[np.ndarray] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Tokens of all micro-batches, padding included; of pictures their number."""
        return sum(part.tokens(group) for part, group in self.micro_batches)

    @property
    def micro_batches(self) -> list[tuple[Part, np.ndarray]]:
        """All micro-batches in the order in which they are embedded."""
        return [(part, group) for part in self.parts for group in part.groups]


def lay_out(
    encoder: Encoder,
    batch: Batch,
    micro_batch: int | None = None,
    budget: int = TOKEN_BUDGET,
    world: World = ALONE,
    packing: bool = True,
) -> Work:
    """Prepare a batch and choose its micro-batches; columns of one side go together.

    Of several processes each prepares its own rows.

    Args:
        encoder: Who prepares the items.
        batch: What to embed.
        micro_batch: Most rows of a micro-batch; None: by the budget alone.
        budget: Most tokens of a micro-batch, padding included.
        world: The processes that share the batch.
        packing: Whether texts are packed where the encoder can embed them so.
    """
    rows = batch_shares(batch, world.size) if world.size > 1 else []
    own = part_of(batch, rows[world.rank]) if rows else batch
    if not len(own):
        return Work(batch, [], world, rows)
    parts = []
    sides: tuple[Side, Side] = ("query", "document")
    for side in sides:
        columns = [i for i, column in enumerate(own.columns) if column.side == side]
        if columns:
            ready = prepared(encoder, own, side)
            packs = packing and ready.padded and _packs(encoder, side, ready)
            split = filled_up if packs else like_lengths
            groups = split(ready.lengths, micro_batch, budget)
            parts.append(Part(side, columns, ready, groups, packs))
    return Work(batch, parts, world, rows)


def _packs(encoder: Encoder, side: Side, ready: Prepared) -> bool:
    tokens = bool(ready.lengths.all())  # a text without any has no place in a row
    return tokens and isinstance(encoder, Packs) and encoder.packs(side)


def embed_group(encoder: Encoder, part: Part, group: np.ndarray) -> Tensor:
    """Embed one micro-batch: shape (rows, dimension), float32 whatever the precision."""
    taken = part.prepared.take(group)
    features = to_device(packed(taken) if part.packed else taken, device_of(encoder.module))
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


def loss_of(encoder: Encoder, loss: Loss, work: Work, embedded: list[Tensor]) -> Tensor:
    """Mean loss over all rows of a batch; every process that shares it computes the same."""
    together = assemble(encoder, work, embedded)
    with work.world.alike(int(work.batch.rows[0])):
        value: Tensor = loss(together)
    return value


def assemble(encoder: Encoder, work: Work, embedded: list[Tensor]) -> EmbeddedBatch:
    """Put embedded micro-batches back in order, those of all processes, as the loss wants them."""
    batch, device = work.batch, device_of(encoder.module)
    columns = _in_order(work, embedded) if work.parts else _no_rows(encoder, len(batch.columns))
    columns = gather_columns(work.world, columns, work.rows)
    known = known_relevant(batch.columns)
    return EmbeddedBatch(
        query=columns[0],
        document=columns[1] if len(columns) > 1 else None,
        negatives=tuple(columns[2:]),
        scores=_tensor(batch.scores, device, torch.float32),
        labels=_tensor(batch.labels, device, torch.int64),
        known=None if known is None else known.to(device),
    )


def _in_order(work: Work, embedded: list[Tensor]) -> list[Tensor]:
    """Embedded micro-batches as the columns of this process's rows."""
    columns: dict[int, Tensor] = {}
    coming = iter(embedded)
    for part in work.parts:
        together = torch.cat([next(coming) for _ in part.groups])
        back = np.empty(len(together), dtype=np.int64)
        back[np.concatenate(part.groups)] = np.arange(len(together))
        together = together[torch.from_numpy(back).to(together.device)]
        rows = len(together) // len(part.columns)
        columns.update(zip(part.columns, torch.split(together, rows), strict=True))
    return [columns[i] for i in range(len(columns))]


def _no_rows(encoder: Encoder, columns: int) -> list[Tensor]:
    """Columns of a process without rows: empty ones, with a graph where gradients are on."""
    empty = torch.zeros((0, encoder.dimension), device=device_of(encoder.module))
    return [empty.requires_grad_(torch.is_grad_enabled()) for _ in range(columns)]


def batch_loss(
    encoder: Encoder, loss: Loss, batch: Batch, config: FitConfig, world: World = ALONE
) -> Tensor:
    """Mean loss over the rows of a batch, with a graph where gradients are on."""
    work = lay_out(encoder, batch, config.micro_batch, world=world, packing=config.packing)
    return loss_of(encoder, loss, work, embed_work(encoder, work))


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
