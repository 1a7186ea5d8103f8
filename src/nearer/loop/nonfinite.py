"""What becomes of a batch whose loss or gradient is NaN or infinite. Computes neither of them."""

import logging
import math
from typing import Literal

import torch
from torch import Tensor, nn

from nearer.data.batch import Batch
from nearer.errors import NonFiniteLoss

MOST_IN_A_ROW = 10
"""Batches skipped one after the other that end a fit: by then it is not a row but the weights."""

ROWS_NAMED = 20

LOGGER = logging.getLogger("nearer")


class NonFinite:
    """Decides about one batch after the other: refuse it, or skip its step and count.

    Every process of a fit comes to the same decision without asking: the loss is computed from
    the same embeddings in each, and the gradient's norm after the gradients have been summed.

    Args:
        mode: "error" or "skip".

    Attributes:
        skipped: Batches skipped so far.
    """

    def __init__(self, mode: Literal["error", "skip"]) -> None:
        self.mode = mode
        self.skipped = 0
        self._in_a_row = 0

    @property
    def counts(self) -> list[int]:
        """How many were skipped, and how many of them in a row until now; for a checkpoint."""
        return [self.skipped, self._in_a_row]

    @counts.setter
    def counts(self, values: list[int]) -> None:
        self.skipped, self._in_a_row = values

    def skips(self, batch: Batch, loss: float, norm: float | None = None) -> bool:
        """Whether the step of a batch is to be skipped.

        Args:
            batch: Whose loss and gradient these are.
            loss: Its mean loss.
            norm: Norm of its gradient, all parameters together; None before there is one.

        Raises:
            NonFiniteLoss: One of them is not finite and the mode is "error", or it is the last of
                too many in a row; names the rows of the batch.
        """
        if math.isfinite(loss) and math.isfinite(norm or 0.0):
            if norm is not None:
                self._in_a_row = 0
            return False
        said = _said(batch, loss, norm)
        if self.mode == "error":
            raise NonFiniteLoss(
                f"{said}. A lower learning_rate, or a look at these rows, may help; "
                'on_nonfinite="skip" leaves such batches out'
            )
        self.skipped += 1
        self._in_a_row += 1
        if self._in_a_row == MOST_IN_A_ROW:
            raise NonFiniteLoss(
                f"{MOST_IN_A_ROW} batches in a row had no finite loss and gradient; of the last, "
                f"{said}. A lower learning_rate may help, or another precision"
            )
        if self.skipped == 1:
            LOGGER.warning("%s; its step is skipped, and so are others like it", said)
        return True


def copied_buffers(module: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """What a forward pass may change, such as the means of a batch norm, each with a copy."""
    return [(buffer, buffer.clone()) for buffer in module.buffers()]


@torch.no_grad()
def put_back(buffers: list[tuple[Tensor, Tensor]]) -> None:
    """Undo what a forward pass did to the buffers: a NaN in them would spoil all that follows."""
    for buffer, copy in buffers:
        buffer.copy_(copy)


def _said(batch: Batch, loss: float, norm: float | None) -> str:
    rows = ", ".join(map(str, batch.rows[:ROWS_NAMED].tolist()))
    more = f", … ({len(batch)} in all)" if len(batch) > ROWS_NAMED else ""
    if math.isfinite(loss):
        return f"the gradient of a batch is {norm}, its loss {loss:.5g}; its rows are {rows}{more}"
    return f"the loss of a batch is {loss}; its rows are {rows}{more}"
