"""Optimizers and learning-rate schedules by name. Decides no default; see `FitConfig`."""

import inspect
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nearer.encoder.protocol import is_split
from nearer.errors import SpecError, UnknownName, did_you_mean
from nearer.loop.split import FUSED
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

UNFIT = ("LBFGS", "Muon", "SparseAdam")
"""Optimizers that want a closure, matrices only or sparse gradients, which the loop has not."""

ELSEWHERE = {"lr": "learning_rate", "weight_decay": "weight_decay"}
"""Options of an optimizer that are options of the fit, by its name and by ours."""

SUPPLIED = {"params", "optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}
"""Arguments that the loop gives."""


def optimizer_names() -> list[str]:
    """The classes of torch.optim."""
    return [name for name in _subclasses(torch.optim, Optimizer) if name not in UNFIT]


def scheduler_names() -> list[str]:
    """The schedules with a warm-up, then the classes of torch.optim.lr_scheduler."""
    classes = _subclasses(torch.optim.lr_scheduler, LRScheduler)
    return [*WARMED, *(name for name in classes if name not in BY_OBJECTS)]


def check_names(config: FitConfig) -> None:
    """Check that optimizer and schedule exist and take the options they are given.

    Raises:
        UnknownName: There is no such optimizer or schedule.
        SpecError: One of them has no such option, or needs one that is not given; lists all.
    """
    for what, name, known in (
        ("optimizer", config.optimizer, optimizer_names()),
        ("scheduler", config.scheduler, scheduler_names()),
    ):
        if name not in known:
            hint = did_you_mean(name, known)
            raise UnknownName(f'no {what} "{name}"; there are {", ".join(known)}.{hint}')
    faults = [
        *_faults(
            config.optimizer, getattr(torch.optim, config.optimizer), config.optimizer_options
        ),
        *_faults(config.scheduler, _schedule(config.scheduler), config.scheduler_options),
    ]
    if faults:
        raise SpecError(faults)


def build_optimizer(encoder: nn.Module, loss: nn.Module, config: FitConfig) -> Optimizer:
    """Build the optimizer; the loss's own parameters are a group of their own.

    Raises:
        SpecError: Nothing can be trained.
    """
    groups = list(_groups(encoder, loss, config))
    if not groups:
        raise SpecError(["nothing to train: every parameter is frozen and the loss has none"])
    optimizer: type[Optimizer] = getattr(torch.optim, config.optimizer)
    takes = inspect.signature(optimizer).parameters
    options = dict(config.optimizer_options)
    split = any(is_split(p) for group in groups for p in group["params"])  # type: ignore[attr-defined]
    if "fused" in takes and "foreach" not in options and (config.optimizer in FUSED or not split):
        options.setdefault("fused", True)
    return optimizer(groups, lr=config.learning_rate, **options)  # type: ignore[call-arg]


def build_scheduler(optimizer: Optimizer, config: FitConfig, steps: int) -> LRScheduler:
    """Build the schedule over all steps of the fit; it is stepped once after each of them."""
    options = dict(config.scheduler_options)
    schedule = _schedule(config.scheduler)
    if config.scheduler in WARMED:
        options["num_warmup_steps"] = round(config.warmup * steps)
        if config.scheduler != "constant":
            options["num_training_steps"] = steps
    built: LRScheduler = schedule(optimizer, **options)
    return built


def _schedule(name: str) -> Callable[..., LRScheduler]:
    if name not in WARMED:
        found: Callable[..., LRScheduler] = getattr(torch.optim.lr_scheduler, name)
        return found
    from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION, SchedulerType

    kind = SchedulerType("constant_with_warmup" if name == "constant" else name)
    found = TYPE_TO_SCHEDULER_FUNCTION[kind]
    return found


def _groups(encoder: nn.Module, loss: nn.Module, config: FitConfig) -> Iterator[dict[str, object]]:
    # Biases and norms (one dimension) gain nothing from decay and lose by it (as in BERT).
    # No kernel takes whole tensors and split ones together.
    parts: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            rate = config.learning_rate * config.rate_factors.get(name, 1.0)
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            parts.setdefault((-rate, -decay, is_split(parameter)), []).append(parameter)
    own_rate = config.loss_learning_rate
    if own_rate is None:
        own_rate = config.learning_rate
    own = [p for p in loss.parameters() if p.requires_grad]
    decays = "weight_decay" in inspect.signature(getattr(torch.optim, config.optimizer)).parameters
    # The highest rate, that of what lies last, comes first.
    ordered = [(-key[0], -key[1], found) for key, found in sorted(parts.items())]
    for rate, decay, parameters in [*ordered, (own_rate, 0.0, own)]:
        if parameters:
            group: dict[str, object] = {"params": parameters, "lr": rate}
            yield group | ({"weight_decay": decay} if decays else {})


def _faults(name: str, what: Callable[..., object], given: Mapping[str, object]) -> list[str]:
    parameters = inspect.signature(what).parameters
    takes = {n: p for n, p in parameters.items() if n not in SUPPLIED and n not in ELSEWHERE}
    unknown = [
        f'{name} takes no option "{option}" here; it is given as {ELSEWHERE[option]}'
        if option in ELSEWHERE and option in parameters
        else f'{name} has no option "{option}"; it takes {", ".join(takes) or "none"}.'
        f"{did_you_mean(option, takes)}"
        for option in given
        if option not in takes
    ]
    missing = [
        f'{name} needs the option "{option}"'
        for option, parameter in takes.items()
        if parameter.default is inspect.Parameter.empty and option not in given
    ]
    return unknown + missing


def _subclasses(module: object, base: type) -> list[str]:
    return sorted(
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and not name.startswith("_")
        if value is not base
    )
