"""Optimizers and learning-rate schedules by name. Decides no default; see `FitConfig`."""

import inspect
from collections.abc import Iterator, Mapping

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nearer.errors import SpecError, UnknownName, did_you_mean
from nearer.loop.state import FitConfig

WARMED = ("linear", "cosine", "cosine_with_restarts", "polynomial", "constant")
"""Schedules with a warm-up; they fall to 0 at the last step (constant stays)."""

BY_OBJECTS = (
    "ChainedScheduler",
    "LambdaLR",
    "MultiplicativeLR",
    "ReduceLROnPlateau",
    "SequentialLR",
)
"""Schedules that take functions, other schedules or a metric, which no option can name."""


def optimizer_names() -> list[str]:
    """The classes of torch.optim."""
    return _subclasses(torch.optim, Optimizer)


def scheduler_names() -> list[str]:
    """The schedules with a warm-up, then the classes of torch.optim.lr_scheduler."""
    classes = _subclasses(torch.optim.lr_scheduler, LRScheduler)
    return [*WARMED, *(name for name in classes if name not in BY_OBJECTS)]


def check_names(config: FitConfig) -> None:
    """Raise UnknownName for an optimizer or a schedule that does not exist."""
    for what, name, known in (
        ("optimizer", config.optimizer, optimizer_names()),
        ("scheduler", config.scheduler, scheduler_names()),
    ):
        if name not in known:
            hint = did_you_mean(name, known)
            raise UnknownName(f'no {what} "{name}"; there are {", ".join(known)}.{hint}')


def build_optimizer(encoder: nn.Module, loss: nn.Module, config: FitConfig) -> Optimizer:
    """Build the optimizer; the loss's own parameters are a group of their own.

    Raises:
        SpecError: The optimizer does not take one of its options, or nothing can be trained.
    """
    groups = list(_groups(encoder, loss, config))
    if not groups:
        raise SpecError(["nothing to train: every parameter is frozen and the loss has none"])
    optimizer: type[Optimizer] = getattr(torch.optim, config.optimizer)
    takes = inspect.signature(optimizer).parameters
    options = dict(config.optimizer_options)
    if "fused" in takes and "foreach" not in options:
        options.setdefault("fused", True)
    _check_options(optimizer, options)
    return optimizer(groups, lr=config.learning_rate, **options)  # type: ignore[call-arg]


def build_scheduler(optimizer: Optimizer, config: FitConfig, steps: int) -> LRScheduler:
    """Build the schedule over all steps of the fit; it is stepped once after each of them."""
    if config.scheduler in WARMED:
        from transformers import get_scheduler

        warmup = round(config.warmup * steps)
        name = config.scheduler
        if name == "constant":
            name = "constant_with_warmup"
        schedule: LRScheduler = get_scheduler(
            name, optimizer, num_warmup_steps=warmup, num_training_steps=steps
        )
        return schedule
    scheduler = getattr(torch.optim.lr_scheduler, config.scheduler)
    _check_options(scheduler, config.scheduler_options)
    built: LRScheduler = scheduler(optimizer, **config.scheduler_options)
    return built


def _groups(encoder: nn.Module, loss: nn.Module, config: FitConfig) -> Iterator[dict[str, object]]:
    trainable = [p for p in encoder.parameters() if p.requires_grad]
    # Biases and norms (one dimension) gain nothing from decay and lose by it (as in BERT).
    decayed = [p for p in trainable if p.ndim > 1]
    plain = [p for p in trainable if p.ndim <= 1]
    own = [p for p in loss.parameters() if p.requires_grad]
    decays = "weight_decay" in inspect.signature(getattr(torch.optim, config.optimizer)).parameters
    for parameters, decay, rate in (
        (decayed, config.weight_decay, config.learning_rate),
        (plain, 0.0, config.learning_rate),
        (own, 0.0, config.loss_learning_rate or config.learning_rate),
    ):
        if parameters:
            group: dict[str, object] = {"params": parameters, "lr": rate}
            yield group | ({"weight_decay": decay} if decays else {})


def _check_options(what: type, options: Mapping[str, object]) -> None:
    takes = [n for n in inspect.signature(what).parameters if n not in ("params", "optimizer")]
    faults = [
        f'{what.__name__} has no option "{name}"; it takes {", ".join(takes)}.'
        f"{did_you_mean(name, takes)}"
        for name in options
        if name not in takes
    ]
    if faults:
        raise SpecError(faults)


def _subclasses(module: object, base: type) -> list[str]:
    return sorted(
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and not name.startswith("_")
        if value is not base
    )
