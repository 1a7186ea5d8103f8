"""How alike embeddings are, row by row or all with all; and the parts of a batch. No loss."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from nearer.errors import SpecError
from nearer.losses.known import Known, known_block
from nearer.losses.protocol import EmbeddedBatch, Loss

Similarity = Literal["cosine", "dot"]
SIMILARITIES: tuple[Similarity, ...] = ("cosine", "dot")


def part(batch: EmbeddedBatch, name: Literal["document", "scores", "labels"], loss: Loss) -> Tensor:
    """A part of the batch that the loss cannot do without.

    Raises:
        SpecError: The batch does not have it.
    """
    value: Tensor | None = getattr(batch, name)
    if value is None:
        raise SpecError([f"loss {type(loss).__name__} needs {name}, which this batch has not"])
    return value


def full(embeddings: Tensor) -> Tensor:
    """At least float32: exponentials and sums of many terms lose too much in half precision."""
    return embeddings.float() if embeddings.dtype.itemsize < 4 else embeddings


def pairwise(a: Tensor, b: Tensor, similarity: Similarity) -> Tensor:
    """Similarity of row i of a with row i of b, shape (B,)."""
    a, b = ready(a, similarity), ready(b, similarity)
    return (a * b).sum(dim=1)


def all_pairs(a: Tensor, b: Tensor, similarity: Similarity) -> Tensor:
    """Similarity of every row of a with every row of b, shape (A, B)."""
    return ready(a, similarity) @ ready(b, similarity).T


def not_own(known: Known, rows: int, candidates: int, device: torch.device) -> Tensor:
    """The whole mask of candidates that are no negatives, with the own document always left in.

    Shape (rows, candidates); for a large batch take `known_block`, which gives some of its rows.
    """
    return known_block(known, 0, rows, candidates, device)


def ready(embeddings: Tensor, similarity: Similarity) -> Tensor:
    """Embeddings whose inner product is their similarity, at least float32."""
    embeddings = full(embeddings)
    return functional.normalize(embeddings, dim=1) if similarity == "cosine" else embeddings
