"""What a loss sees and gives: embeddings of one batch in, a scalar out. It never sees a model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import Tensor, nn

from nearer.losses.known import Known

Need = Literal["document", "negatives", "scores", "labels"]


@dataclass(frozen=True)
class EmbeddedBatch:
    """One batch after the encoder, B rows.

    Attributes:
        query: Shape (B, d). For labelled data these are the items themselves.
        document: Shape (B, d); row i is relevant to query i.
        negatives: Each of shape (B, d); row i is not relevant to query i (hard negatives).
        scores: Shape (B,), float: similarity of pair i, or the teacher's margin with negatives.
        labels: Shape (B,), int64: class of row i.
        known: Shape (B, B * (1 + len(negatives))), bool: candidate j (documents first, then each
            negatives column) is known to be relevant to query i, or is the same content as its
            document, so it must not count as its negative. The own document, (i, i), is False.
            Or `KnownPairs`, which holds no such matrix; see `losses/known.py` for reading either.
    """

    query: Tensor
    document: Tensor | None = None
    negatives: tuple[Tensor, ...] = ()
    scores: Tensor | None = None
    labels: Tensor | None = None
    known: Known = None

    def truncated(self, dimensions: int) -> "EmbeddedBatch":
        """The same batch with only the first dimensions of every embedding (Matryoshka)."""
        return replace(
            self,
            query=self.query[:, :dimensions],
            document=None if self.document is None else self.document[:, :dimensions],
            negatives=tuple(n[:, :dimensions] for n in self.negatives),
        )


class Loss(nn.Module):
    """Base of all losses: a mean over the rows of a batch; may hold parameters of its own.

    Attributes:
        needs: Parts of the batch that must be there; checked against the data before training.
    """

    needs: ClassVar[frozenset[Need]] = frozenset()

    @property
    def learned(self) -> Mapping[str, float]:
        """What it learned of its own that is worth a line in the log, by name; mostly nothing."""
        return {}

    def forward(self, batch: EmbeddedBatch) -> Tensor:
        """Return the loss of the batch: a scalar, the mean over its rows."""
        raise NotImplementedError
