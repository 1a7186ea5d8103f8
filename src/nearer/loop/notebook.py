"""The loop's own notebook: how far a fit has come. What callbacks see of it is in context.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from nearer.encoder.protocol import Encoder, Track, untracked
from nearer.encoder.sharing import SharedEmbeddings
from nearer.loop.consent import agree
from nearer.loop.events import Event
from nearer.loop.metrics import MetricInfo
from nearer.loop.state import EvaluationPoint, FitConfig, StopReason
from nearer.loop.world import ALONE, World


@dataclass
class LoopState:
    """The loop's own notebook; only the loop writes here, and nobody outside it reads it."""

    encoder: Encoder
    config: FitConfig
    batches: int
    val_batches: int = 0
    declared: Sequence[MetricInfo] = ()
    event: Event = Event.FIT_BEGIN
    error: BaseException | None = None
    epoch: int = 0
    batch: int = 0
    step: int = 0
    epochs_run: int = 0
    ended: bool = True
    batch_loss: float | None = None
    batch_rows: int = 0
    skipped_batches: int = 0
    val_loss: float | None = None
    learning_rates: Sequence[float] = ()
    metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    history: list[EvaluationPoint] = field(default_factory=list)
    stop_reason: StopReason | None = None
    agreed: StopReason | None = None
    kept: EvaluationPoint | None = None
    unseen: bool = False
    track: Track = untracked
    signal: Callable[[], str | None] = lambda: None
    shared: SharedEmbeddings = field(default_factory=SharedEmbeddings)
    world: World = ALONE
    score: Callable[[str | None], Mapping[str, float]] | None = None

    @property
    def is_last(self) -> bool:
        """Whether nothing is trained any more, as far as is known; false at epoch 0."""
        done = self.epoch == self.config.epochs and self.batch == self.batches
        # Of several processes all must say the same, whatever one was asked for since.
        stopping = self.stop_reason if self.world.size == 1 else self.agreed
        return done or stopping is not None

    @property
    def cut_short(self) -> bool:
        """Whether the running epoch ends before its last batch."""
        return self.stop_reason is not None and self.batch < self.batches

    @property
    def evaluation_due(self) -> bool:
        """Whether an evaluation by steps comes after this step; not once it has been."""
        every = self.config.evaluate_every
        evaluated = bool(self.history) and self.history[-1].step == self.step
        return every != "epoch" and self.step % every == 0 and not evaluated

    def add_point(self, metrics: Mapping[str, float]) -> None:
        """Note what was reported at this step; from here on it is frozen."""
        self.metrics = MappingProxyType(dict(metrics))
        candidate = self.step > 0 or not self.config.fresh_head
        self.history.append(EvaluationPoint(self.epoch, self.step, self.metrics, candidate))

    def keep_last(self) -> None:
        """Note which point's weights the encoder holds; restoring another one overrides it."""
        last = self.history[-1] if self.history else None
        self.kept = last if last and last.step == self.step and last.candidate else None

    def obey_signal(self) -> None:
        """End the fit if a signal has come; called where the model is in a consistent state."""
        agree(self, signals=True)

    def settle_stop(self) -> None:
        """Take over a stop that another process asked for; called before anything hangs on it."""
        agree(self)
