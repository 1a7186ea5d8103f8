"""A fit of milliseconds: letters, a handful of rows, real batches, a real loss."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from nearer.data.batch import Batch, Column
from nearer.encoder.module import ModuleEncoder
from nearer.loop.fit import fit
from nearer.loop.state import FitConfig, FitResult
from nearer.losses.contrastive import InfoNCE
from nearer.losses.protocol import EmbeddedBatch, Loss
from support.tiny import Letters

WORDS = ["red", "green", "blue", "shoes", "boots", "hat", "coat", "shirt", "cotton", "wool"]
PAIRS = [(f"{a} {b}", f"{b} of {a}") for a in WORDS[:3] for b in WORDS[3:]]
LABELLED = [{"id": str(i), "text": w, "label": w[0]} for i, w in enumerate(WORDS)]


class ToyBatches:
    """Pairs in batches, in the order of the list; the last batch may be short.

    Args:
        rows: How many pairs.
        size: Of a batch.
    """

    def __init__(self, rows: int = 7, size: int = 4) -> None:
        self.pairs, self.size = (PAIRS * rows)[:rows], size

    def __len__(self) -> int:
        return -(-len(self.pairs) // self.size)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches; the same in every epoch."""
        for first in range(start * self.size, len(self.pairs), self.size):
            rows = range(first, min(first + self.size, len(self.pairs)))
            yield batch_of([self.pairs[i] for i in rows], rows)


def batch_of(rows: Sequence[tuple[str, ...]], numbers: Sequence[int] | None = None) -> Batch:
    """A batch of rows (query, document, negatives …); equal texts of a side have equal codes."""
    columns = list(zip(*rows, strict=True))
    documents = {t: i for i, t in enumerate(dict.fromkeys(t for c in columns[1:] for t in c))}
    queries = {t: i for i, t in enumerate(dict.fromkeys(columns[0]))}
    made = [
        Column(
            texts,
            "document" if i else "query",
            np.array([(documents if i else queries)[t] for t in texts]),
        )
        for i, texts in enumerate(columns)
    ]
    return Batch(np.array(numbers if numbers is not None else range(len(rows))), tuple(made))


def toy_encoder(seed: int = 0, module: nn.Module | None = None) -> ModuleEncoder:
    """Letters with the weights of a seed."""
    torch.manual_seed(seed)
    prepare = Letters.prepare.__get__(Letters())
    return ModuleEncoder(module or Letters(), prepare, name="letters", dimension=8)


def toy_fit(
    *callbacks: Any,
    encoder: ModuleEncoder | None = None,
    loss: Loss | None = None,
    train: Any = None,
    val: Any = None,
    signal: Any = lambda: None,
    track: Any = None,
    keeper: Any = None,
    resume: Any = None,
    **options: Any,
) -> FitResult:
    """Run the loop; what is not given is small and sensible."""
    config = FitConfig(
        **{"epochs": 2, "learning_rate": 0.05, "warmup": 0.0, "scheduler": "constant", **options}
    )
    return fit(
        encoder or toy_encoder(),
        loss or InfoNCE(),
        ToyBatches() if train is None else train,
        config=config,
        callbacks=callbacks,
        val=val,
        signal=signal,
        keeper=keeper,
        resume=resume,
        **({} if track is None else {"track": track}),
    )


class KeepsAll:
    """A keeper of a fit that keeps it wherever it offers itself, in memory."""

    def __init__(self) -> None:
        self.kept: list[tuple[Any, Any]] = []

    def due(self, at: Any) -> bool:
        """Always."""
        return True

    def keep(self, at: Any, taken: Any) -> None:
        """Remember the place and the snapshot."""
        self.kept.append((at, taken))

    @property
    def last(self) -> Any:
        """The snapshot that was taken last."""
        return self.kept[-1][1]


class ListLoss(Loss):
    """Gives the values of a list, one a batch, whatever the embeddings are.

    Args:
        values: In order; the last is repeated.
    """

    def __init__(self, values: Sequence[float]) -> None:
        super().__init__()
        self.values, self.asked = list(values), 0

    def forward(self, batch: EmbeddedBatch) -> torch.Tensor:
        """The next value, with a gradient of zero."""
        value = self.values[min(self.asked, len(self.values) - 1)]
        self.asked += 1
        return batch.query.sum() * 0 + value


def same(one: Any, other: Any) -> bool:
    """Whether two sets of weights are equal, bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def weights_of(encoder: Any) -> dict[str, torch.Tensor]:
    """A copy of all weights."""
    return {k: v.clone() for k, v in encoder.module.state_dict().items()}
