"""What takes a step: gradients, optimizer and schedule, and the loss since the last point."""

import math

from accelerate import Accelerator
from accelerate.utils import set_seed

from nearer.data.batch import Batch, BatchSource
from nearer.encoder.embedding import TRAIN_BUDGET
from nearer.encoder.protocol import Encoder
from nearer.encoder.quick import QuickParts
from nearer.errors import NonFiniteLoss
from nearer.loop.optim import build_optimizer, build_scheduler
from nearer.loop.passes import one_pass, passes_needed, two_passes
from nearer.loop.room import graph_room
from nearer.loop.state import FitConfig
from nearer.loop.step import Work, lay_out, train_mode
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
    ) -> None:
        set_seed(config.seed)
        self.encoder, self.config, self.accelerator = encoder, config, accelerator
        encoder.module.to(accelerator.device)
        self.loss = loss.to(accelerator.device)
        optimizer = build_optimizer(encoder.module, self.loss, config)
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        scheduler = build_scheduler(optimizer, config, config.epochs * len(train))
        self.optimizer, self.scheduler = accelerator.prepare(optimizer), scheduler
        self.graph_tokens: int | None = None
        self._quick = QuickParts(encoder.module)
        self.total, self.rows = 0.0, 0

    def step(self, batch: Batch) -> float:
        """Forward, backward, optimizer and schedule; returns the batch's mean loss."""
        train_mode(self.encoder.module)
        with self._quick.use():
            number = self._gradients(batch)
        if self.config.clip_norm:
            self.accelerator.clip_grad_norm_(self.parameters, self.config.clip_norm)
        self.optimizer.step()
        if not self.accelerator.optimizer_step_was_skipped:
            self.scheduler.step()
        self.optimizer.zero_grad()
        self.total += number * len(batch)
        self.rows += len(batch)
        return number

    def _gradients(self, batch: Batch) -> float:
        """Leave the gradients of a batch in the parameters; returns its mean loss."""
        work = self._laid_out(batch)
        assert self.graph_tokens is not None
        passes = passes_needed(
            work.tokens,
            self.graph_tokens,
            len(work.micro_batches),
            flat=self.config.micro_batch is not None,
        )
        value, pull = (one_pass if passes == 1 else two_passes)(self.encoder, self.loss, work)
        number = value.item()
        if not math.isfinite(number):
            rows = ", ".join(map(str, batch.rows[:20].tolist()))
            more = f", … ({len(batch)} in all)" if len(batch) > 20 else ""
            raise NonFiniteLoss(
                f"the loss of a batch is {number}; its rows are {rows}{more}. A lower "
                "learning_rate, or a look at these rows, may help"
            )
        pull(self.accelerator.backward)
        return number

    def _laid_out(self, batch: Batch) -> Work:
        encoder, most = self.encoder, self.config.micro_batch
        if self.graph_tokens is None:
            work = lay_out(encoder, batch, most, TRAIN_BUDGET)
            self.graph_tokens = graph_room(encoder, work, self.config.training_memory)
        return lay_out(encoder, batch, most, min(TRAIN_BUDGET, self.graph_tokens))

    def rates(self) -> list[float]:
        """Learning rate of each parameter group for the next step."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def mean_loss(self) -> float:
        """Mean over the rows trained on since the last call."""
        mean = self.total / self.rows
        self.total, self.rows = 0.0, 0
        return mean
