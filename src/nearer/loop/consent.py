"""What all processes of a fit must agree on: that it ends, and why. Asks nobody when alone."""

from typing import TYPE_CHECKING

import numpy as np

from nearer.errors import Interrupted
from nearer.loop.state import StopKind, StopReason

if TYPE_CHECKING:
    from nearer.loop.notebook import LoopState


def agree(state: "LoopState", *, signals: bool = False) -> None:
    """Take over a stop that any process asked for; the first process's reason comes first.

    Args:
        state: Of this process. All call this at the same point.
        signals: Obey a signal that came to any of them as well; where the model is consistent.

    Raises:
        Interrupted: A signal came, to this process or another.
    """
    came = state.signal() if signals else None
    name, state.stop_reason = state.world.first(came, state.stop_reason)
    state.agreed = state.stop_reason
    if name:
        state.stop_reason = StopReason(StopKind.INTERRUPTED, f"{name} at epoch {state.epoch}")
        raise Interrupted(name)


class Together:
    """The processes of a fit as an evaluation needs them (`evaluation.sharding.Processes`)."""

    def __init__(self, state: "LoopState") -> None:
        self._state = state
        self.rank, self.size = state.world.rank, state.world.size

    def cut(self) -> bool:
        """Whether a signal came to this process: work that is its own may end here."""
        return self.size > 1 and self._state.signal() is not None

    def obey(self) -> None:
        """Raise `Interrupted` in all processes if a signal came to any; alone, `track` does it."""
        if self.size > 1:
            agree(self._state, signals=True)

    def arrays(self, array: np.ndarray) -> list[np.ndarray]:
        """The arrays of all processes, in order of their ranks."""
        return self._state.world.arrays(array)
