"""Takes a step: gradients, optimizer, schedule; sums the loss. Decides no order."""

from collections.abc import Mapping

from accelerate import Accelerator
from accelerate.utils import set_seed

from nearer.data.batch import Batch, BatchSource
from nearer.encoder.embedding import TRAIN_BUDGET
from nearer.encoder.protocol import Encoder, is_split
from nearer.encoder.quick import QuickParts
from nearer.loop.gradients import clip_gradients, gradient_norm
from nearer.loop.nonfinite import NonFinite, copied_buffers, put_back
from nearer.loop.optim import build_optimizer, build_scheduler
from nearer.loop.passes import one_at_a_time, one_pass, passes_needed, two_passes
from nearer.loop.room import graph_room
from nearer.loop.state import FitConfig
from nearer.loop.step import Work, lay_out, train_mode
from nearer.loop.world import ALONE, World
from nearer.losses.protocol import Loss


class Trainer:
    """Holds what a step needs: optimizer, schedule, and the loss since the last evaluation.

    Attributes:
        graph_tokens: Most tokens whose activations are held at once; a batch with more takes two
            passes. Measured on the first batch; a fit that is to be repeated bit for bit on a
            machine with other memory has to be given the same number. None before the first step.
    """

    def __init__(
        self,
        encoder: Encoder,
        loss: Loss,
        train: BatchSource,
        config: FitConfig,
        accelerator: Accelerator,
        world: World = ALONE,
    ) -> None:
        # Dropout draws other numbers in every process, as it does for other rows.
        set_seed(config.seed + world.rank)
        self.encoder, self.config, self.accelerator = encoder, config, accelerator
        self.world = world
        encoder.module.to(accelerator.device)
        self.loss = loss.to(accelerator.device)
        world.share_weights(encoder.module)
        world.share_weights(self.loss)
        optimizer = build_optimizer(encoder.module, self.loss, config)
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        own = {id(p) for p in self.loss.parameters()}
        self.of_loss = [p for p in self.parameters if id(p) in own]
        # What is split is summed as soon as it is there: see `Split`.
        self.of_encoder = [p for p in self.parameters if id(p) not in own and not is_split(p)]
        self._is_split = any(is_split(p) for p in self.parameters)
        scheduler = build_scheduler(optimizer, config, config.epochs * len(train))
        self.optimizer, self.scheduler = accelerator.prepare(optimizer), scheduler
        self.graph_tokens: int | None = config.graph_tokens
        self._quick = QuickParts(encoder.module)
        self.nonfinite = NonFinite(config.on_nonfinite)
        self.total, self.rows = 0.0, 0
        if self._is_split:
            world.wait()  # until nobody tries out passes any more, and of those nothing is left
            self.optimizer.zero_grad()

    def step(self, batch: Batch) -> float:
        """Forward, backward, optimizer and schedule; returns the batch's mean loss.

        A batch without a finite loss and gradient is skipped, where the configuration says so:
        weights, buffers, optimizer and schedule stay as they were.
        """
        train_mode(self.encoder.module)
        buffers = copied_buffers(self.encoder.module) if self.nonfinite.mode == "skip" else []
        with self._quick.use():
            number, skipped = self._gradients(batch)
        if not skipped:
            self.world.sum_gradients(self.of_encoder, self.of_loss)
            skipped = self.nonfinite.skips(batch, number, self._clipped_norm())
        if skipped:
            self.optimizer.zero_grad()
            put_back(buffers)
            return number
        self.optimizer.step()
        if not self.accelerator.optimizer_step_was_skipped:
            self.scheduler.step()
        self.optimizer.zero_grad()
        self.total += number * len(batch)
        self.rows += len(batch)
        return number

    def _clipped_norm(self) -> float:
        """Clip the gradients; returns what their norm was."""
        if self._is_split and self.config.clip_norm:
            return clip_gradients(self.parameters, self.config.clip_norm)
        if self.config.clip_norm:
            norm = self.accelerator.clip_grad_norm_(self.parameters, self.config.clip_norm)
            found = 0.0 if norm is None else float(norm)
        else:
            found = gradient_norm(self.parameters)
        # A gradient scaler has its own way with these: it takes no step and scales by less.
        return found if self.accelerator.scaler is None else 0.0

    def _gradients(self, batch: Batch) -> tuple[float, bool]:
        """Leave the gradients of a batch in the parameters.

        Returns:
            Its mean loss, and whether there are no gradients, as the batch is to be skipped.
        """
        work = self._laid_out(batch)
        passes = passes_needed(
            work.tokens,
            self.graph_tokens or 0,
            len(work.micro_batches),
            flat=one_at_a_time(self.config, self.encoder.module),
        )
        value, pull = (one_pass if passes == 1 else two_passes)(self.encoder, self.loss, work)
        number = value.item()
        if self.nonfinite.skips(batch, number):
            return number, True
        pull(self.accelerator.backward)
        return number, False

    def _laid_out(self, batch: Batch) -> Work:
        encoder, most, world = self.encoder, self.config.micro_batch, self.world
        packing = self.config.packing
        work = lay_out(encoder, batch, most, TRAIN_BUDGET, world, packing)
        if self.graph_tokens is None and work.parts:
            memory = self.config.training_memory
            self.graph_tokens = graph_room(encoder, work, memory, world.size)
        if self._is_split:
            world.wait()  # until nobody tries passes any more
        if work.parts and self.graph_tokens and self.graph_tokens < TRAIN_BUDGET:
            work = lay_out(encoder, batch, most, self.graph_tokens, world, packing)
        return work

    def rates(self) -> list[float]:
        """Learning rate of each parameter group for the next step."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    @property
    def learned(self) -> Mapping[str, float]:
        """What the loss learned of its own; nothing where it does not say."""
        return getattr(self.loss, "learned", {})

    def mean_loss(self) -> float:
        """Mean over the rows trained on since the last call."""
        mean = self.total / self.rows
        self.total, self.rows = 0.0, 0
        return mean
