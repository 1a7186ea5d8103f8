"""What a callback sees: everything read-only, and a verb for each thing that it may change."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from torch import Tensor

from nearer.encoder.protocol import Encoder, parts_that_came
from nearer.encoder.sharing import SharedEmbeddings
from nearer.errors import Interrupted, NearerError
from nearer.loop.consent import Together
from nearer.loop.events import Event
from nearer.loop.metrics import MetricInfo
from nearer.loop.notebook import LoopState
from nearer.loop.state import EvaluationPoint, FitConfig, StopKind, StopReason
from nearer.loop.weights import load_weights, snapshot

Weights = Mapping[str, Tensor]


class Context:
    """A callback's view of the fit. Properties are read-only; the methods are what it may do."""

    __slots__ = ("__state",)

    def __init__(self, state: LoopState) -> None:
        self.__state = state

    @property
    def config(self) -> FitConfig:
        """How this fit was configured."""
        return self.__state.config

    @property
    def encoder(self) -> Encoder:
        """The encoder to evaluate; at epoch 0 the one that came, without a newly added head."""
        state = self.__state
        return state.encoder.as_it_came() if state.step == 0 else state.encoder

    @property
    def encode(self) -> SharedEmbeddings:
        """Embed items with `encoder`; callbacks that embed the same items share one pass."""
        return self.__state.shared

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and speaks; true where there is only one."""
        return self.__state.world.is_main

    @property
    def processes(self) -> Together:
        """The processes of the fit, for work that all of them share, such as an evaluation."""
        return Together(self.__state)

    @property
    def declared(self) -> tuple[MetricInfo, ...]:
        """All metrics that this run reports."""
        return tuple(self.__state.declared)

    @property
    def epoch(self) -> int:
        """Number of the running epoch, from 1; 0 before the first."""
        return self.__state.epoch

    @property
    def batch(self) -> int:
        """Batches of the running epoch, or of the validation pass, that are done."""
        return self.__state.batch

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return self.__state.batches

    @property
    def val_batches(self) -> int:
        """Batches of held-out rows; 0 without them."""
        return self.__state.val_batches

    @property
    def step(self) -> int:
        """Optimizer steps taken since the fit began."""
        return self.__state.step

    @property
    def batch_loss(self) -> float | None:
        """Mean loss over the rows of the last batch."""
        return self.__state.batch_loss

    @property
    def batch_rows(self) -> int:
        """Rows of the last batch."""
        return self.__state.batch_rows

    @property
    def val_loss(self) -> float | None:
        """Mean loss over the held-out rows at the last validation pass."""
        return self.__state.val_loss

    @property
    def learning_rates(self) -> tuple[float, ...]:
        """Rate of each parameter group for the next step."""
        return tuple(self.__state.learning_rates)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metrics of the last evaluation point, by key."""
        return self.__state.metrics

    @property
    def point(self) -> EvaluationPoint | None:
        """The last evaluation point."""
        return self.__state.history[-1] if self.__state.history else None

    @property
    def history(self) -> tuple[EvaluationPoint, ...]:
        """All evaluation points so far, epoch 0 included."""
        return tuple(self.__state.history)

    @property
    def kept(self) -> EvaluationPoint | None:
        """From `on_fit_end` on: the point whose weights the encoder has, where one has them."""
        return self.__state.kept

    @property
    def is_last(self) -> bool:
        """Whether an evaluation point is the last one: nothing will be trained after it."""
        return self.__state.is_last

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the fit is about to end, once somebody asked for it."""
        return self.__state.stop_reason

    def request_stop(self, reason: StopReason | str) -> None:
        """Ask the loop to end after the current step; the first reason wins and is never unsaid."""
        if isinstance(reason, str):
            reason = StopReason(StopKind.REQUESTED, reason)
        if self.__state.stop_reason is None:
            self.__state.stop_reason = reason

    def track(self, description: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show progress of something long; a signal is obeyed whenever it advances."""
        return self.__obedient(description, total)

    @contextmanager
    def __obedient(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        with self.__state.track(description, total) as advance:

            def advance_and_obey(done: int) -> None:
                advance(done)
                if self.__state.world.size == 1:  # several must agree: see `processes`
                    self.__state.obey_signal()

            yield advance_and_obey

    def weights(self, *, came: bool = False) -> dict[str, Tensor]:
        """Copy the weights that training changes, buffers included, to the CPU.

        Args:
            came: Only those that the model came with: without newly added heads.
        """
        encoder = self.__state.encoder
        within = parts_that_came(encoder) if came else ()
        return snapshot(encoder.module, within, self.__state.world)

    def score(self, metric: str | None = None) -> Mapping[str, float]:
        """Measure the encoder as it is; what comes out is told to nobody else.

        Args:
            metric: Key of a metric: only who reports it is asked; None: everybody.

        Raises:
            NearerError: At any event but `on_weights_chosen`.
        """
        state = self.__state
        if state.event is not Event.WEIGHTS_CHOSEN or state.score is None:
            raise NearerError(
                f"the encoder was scored in {state.event.value}; that may be done only in "
                "on_weights_chosen"
            )
        return state.score(metric)

    def load_weights(self, weights: Weights, point: EvaluationPoint | None = None) -> None:
        """Put weights back, as `weights()` gave them.

        Args:
            weights: Tensors by name.
            point: The evaluation point that they had, where the encoder keeps them for good.

        Raises:
            NearerError: At any event but `on_fit_begin`, `on_fit_end` and `on_weights_chosen` (and
                `on_exception` where a signal ended the fit).
        """
        state = self.__state
        interrupted = state.event is Event.EXCEPTION and isinstance(state.error, Interrupted)
        allowed = (Event.FIT_BEGIN, Event.FIT_END, Event.WEIGHTS_CHOSEN)
        if not (interrupted or state.event in allowed):
            raise NearerError(
                f"weights were changed in {state.event.value}; they may be loaded only in "
                "on_fit_begin, on_fit_end and on_weights_chosen"
            )
        state.world.settle()  # so that nobody sees a part of these beside a part of others
        load_weights(state.encoder.module, weights)
        state.shared.clear()
        state.kept = point
        state.unseen = state.event is Event.WEIGHTS_CHOSEN and point is None
