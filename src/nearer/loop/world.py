"""The processes of a fit as the loop sees them: which one this is, and what they do together.

Here is what a process alone does, which is next to nothing; several: several.py. Nothing here or
there knows what a step or an evaluation is.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from torch import Tensor, nn

if TYPE_CHECKING:
    from nearer.loop.split import Part

T = TypeVar("T")


class World:
    """One process alone: everything is here already.

    With several, every method but `fail` is called by all of them at the same point, or they wait
    for each other.

    Attributes:
        rank: Number of this process, from 0.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def gather(self, local: Tensor, shares: Sequence[np.ndarray]) -> Tensor:
        """Put the rows of all processes together, with a gradient for those of this one.

        Every process is taken to compute the same from what it gets; so the gradient of its own
        rows is whole as it stands, and nothing is sent in the backward pass.

        Args:
            local: Shape (rows of this process, …), float.
            shares: For each process the places of its rows in the whole.

        Returns:
            Shape (all rows, …), the same in every process.
        """
        return local

    def sum_gradients(self, parts: Sequence[Tensor], whole: Sequence[Tensor]) -> None:
        """Sum the gradients of all processes; one all-reduce.

        A parameter without a gradient anywhere is left without one, as an optimizer passes it over.

        Args:
            parts: Parameters of whose gradient each process has a part: those of the encoder.
            whole: Parameters whose gradient is whole in each: those of the loss. That of the first
                process is taken.
        """

    def first(self, *values: Any) -> list[Any]:
        """For each value the first process's that is not None; cheap where all are None."""
        return list(values)

    def broadcast(self, value: T) -> T:
        """The first process's value."""
        return value

    def exchange(self, value: T) -> list[T]:
        """The values of all processes, in order of their ranks. Anything that can be pickled."""
        return [value]

    def arrays(self, array: np.ndarray) -> list[np.ndarray]:
        """The arrays of all processes; they may differ in length."""
        return [array]

    def share_weights(self, module: nn.Module) -> None:
        """Give all processes the first one's weights and buffers."""

    def share_buffers(self, module: nn.Module) -> None:
        """Give all processes the first one's buffers: batch norm's, which no gradient equalises."""

    @contextmanager
    def alike(self, seed: int) -> Iterator[None]:
        """Draw the same random numbers in every process, and go on with its own after."""
        yield

    def split(self, parts: Sequence["Part"]) -> None:
        """Split transformers among all processes, so that each holds a part of their weights.

        From here on every exchange waits until no process is about to embed.
        """

    def copies(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Copies on the CPU, whole where each process holds a part.

        Also where one process alone wants them: the others take part as soon as they exchange.
        """
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}

    def settle(self) -> None:
        """Wait until no process makes a pass through a model that is split."""

    def wait(self) -> None:
        """Wait until all have come here."""

    def lost(self) -> str | None:
        """Which other process failed or died, where an exchange of a split model's own failed."""
        return None

    def fail(self, error: BaseException) -> None:
        """Tell the others why this process is about to end, without waiting for them."""


ALONE = World()
