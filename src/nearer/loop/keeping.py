"""When a fit offers to be kept, and in which state. Whether it is, and where: a `Keeper` says."""

from typing import Any, Protocol

from nearer.loop.dispatch import Dispatcher
from nearer.loop.notebook import LoopState
from nearer.loop.snapshot import Snapshot, note, position_in, position_of, take
from nearer.loop.state import Position
from nearer.loop.trainer import Trainer


class Keeper(Protocol):
    """Decides when a fit is kept, and keeps it; files are its affair."""

    def due(self, at: Position) -> bool:
        """Whether to keep the fit where it stands; asked after every step and evaluation."""

    def keep(self, at: Position, taken: Snapshot) -> None:
        """Keep a snapshot, of which nobody else holds a tensor."""


class Savepoints:
    """The points of a fit at which it could go on, offered to a keeper.

    Args:
        state: The loop's notebook.
        events: The callbacks.
        trainer: Weights, optimizer, schedule.
        keeper: None: nothing is kept.
    """

    def __init__(
        self, state: LoopState, events: Dispatcher, trainer: Trainer, keeper: Keeper | None
    ) -> None:
        self._parts = state, events, trainer
        self._state, self._keeper = state, keeper
        self._noted: dict[str, Any] | None = None

    def offer(self, pending: bool = False) -> None:
        """The fit could go on from here; every process says so at the same point.

        Args:
            pending: Whether an evaluation comes next, after which it is offered again.
        """
        if self._keeper is None:
            return
        at = position_of(self._state, pending)
        # The clocks of several processes differ; one that is due speaks for all.
        (due,) = self._state.world.first(True if self._keeper.due(at) else None)
        if due:
            self._keeper.keep(at, take(*self._parts))

    def close(self) -> None:
        """Keep the fit no more: from here on the encoder has weights that no step left."""
        self._keeper = None

    def begin_evaluation(self) -> None:
        """What follows changes the loop's notebook before it is complete."""
        if self._keeper is not None:
            self._noted = note(*self._parts)

    def end_evaluation(self) -> None:
        """The evaluation is complete."""
        self._noted = None

    def interrupted(self, error: BaseException) -> None:
        """A signal ends the fit: keep it as it was after the last step.

        Args:
            error: What ends it; where it cannot be kept, a note on it says so.
        """
        if self._keeper is None or not self._state.step:
            return
        try:
            taken = take(*self._parts, noted=self._noted)
            self._keeper.keep(position_in(taken), taken)
        except Exception as second:  # whatever a callback's state_dict may raise
            error.add_note(f"the fit could not be kept: {second!r}")
