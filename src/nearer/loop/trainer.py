"""Takes a step: forward, backward, optimizer, schedule; sums the loss. Decides no order."""

import math

from accelerate import Accelerator
from accelerate.utils import set_seed

from nearer.data.batch import Batch, BatchSource
from nearer.encoder.protocol import Encoder
from nearer.errors import NonFiniteLoss
from nearer.loop.optim import build_optimizer, build_scheduler
from nearer.loop.state import FitConfig
from nearer.loop.step import batch_loss, train_mode
from nearer.loop.world import ALONE, World
from nearer.losses.protocol import Loss


class Trainer:
    """Holds what a step needs: optimizer, schedule, and the loss since the last evaluation."""

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
        self.of_encoder = [p for p in self.parameters if id(p) not in own]
        scheduler = build_scheduler(optimizer, config, config.epochs * len(train))
        self.optimizer, self.scheduler = accelerator.prepare(optimizer), scheduler
        self.total, self.rows = 0.0, 0

    def step(self, batch: Batch) -> float:
        """Forward, backward, optimizer and schedule; returns the batch's mean loss."""
        train_mode(self.encoder.module)
        value = batch_loss(self.encoder, self.loss, batch, self.config.micro_batch, self.world)
        number = value.item()
        if not math.isfinite(number):
            rows = ", ".join(map(str, batch.rows[:20].tolist()))
            more = f", … ({len(batch)} in all)" if len(batch) > 20 else ""
            raise NonFiniteLoss(
                f"the loss of a batch is {number}; its rows are {rows}{more}. A lower "
                "learning_rate, or a look at these rows, may help"
            )
        self.accelerator.backward(value)
        self.world.sum_gradients(self.of_encoder, self.of_loss)
        if self.config.clip_norm:
            self.accelerator.clip_grad_norm_(self.parameters, self.config.clip_norm)
        self.optimizer.step()
        self.scheduler.step()
        self.optimizer.zero_grad()
        self.total += number * len(batch)
        self.rows += len(batch)
        return number

    def rates(self) -> list[float]:
        """Learning rate of each parameter group for the next step."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def mean_loss(self) -> float:
        """Mean over the rows trained on since the last call."""
        mean = self.total / self.rows
        self.total, self.rows = 0.0, 0
        return mean
