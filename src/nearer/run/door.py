"""Checking everything that can be checked before a model is loaded: all faults, at once."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sentence_transformers import SentenceTransformer
from torch import nn

from nearer.artifact.manifest import is_artifact, read_manifest
from nearer.callbacks import EvaluationCallback
from nearer.data.columns import Examples, Kind, read_examples
from nearer.data.keeping import Keep
from nearer.data.splitting import split
from nearer.encoder.catalog import locate, short_name
from nearer.encoder.compiling import check_compiler
from nearer.encoder.depth import known_depths
from nearer.encoder.lora import check_peft
from nearer.errors import SpecError
from nearer.loop.callback import Callback
from nearer.loop.fit import check_metrics
from nearer.loop.optim import build_optimizer, build_scheduler, check_names
from nearer.loop.state import FitConfig
from nearer.losses.choose import auto_loss, build_loss, check_name
from nearer.run.assemble import assemble, hand_back
from nearer.run.faults import Faults
from nearer.run.shardable import check_shard
from nearer.run.ship import check_form
from nearer.run.spec import RunSpec


@dataclass(frozen=True)
class Plan:
    """A run of which everything but the model has been read and checked."""

    spec: RunSpec
    train: Examples
    val: Examples | None
    callbacks: tuple[Callback, ...]
    model_name: str
    loss: str
    kind: str
    keep: Literal["best", "last"]

    @property
    def evaluations(self) -> list[EvaluationCallback]:
        """The evaluations among the callbacks."""
        return [c for c in self.callbacks if isinstance(c, EvaluationCallback)]


def check(spec: RunSpec, kept_in: Keep | None = None) -> Plan:
    """Read the data, build the callbacks, check every name; loads no model and begins no run.

    Args:
        spec: What is asked for.
        kept_in: Where rows of large files are kept; None for nowhere.

    Raises:
        NearerError: What is wrong; several faults come as one SpecError.
    """
    faults = Faults()
    read = partial(read_examples, columns=spec.columns, on_bad_row=spec.on_bad_row, keep=kept_in)
    train = faults.get(lambda: read(spec.train_data))
    val = None
    if spec.eval_data is not None:
        val = faults.get(lambda: read(spec.eval_data))
    elif spec.val_split and train is not None:
        train, val = faults.get(partial(split, train, spec.val_split, spec.seed)) or (train, None)
    model_name = faults.get(lambda: name_of(spec)) or "model"
    has_val = val is not None or spec.eval_data is not None or spec.val_split > 0
    callbacks = assemble(spec, faults)
    keep = hand_back(spec, callbacks, faults, model_name, has_val)
    for callback in callbacks:
        faults.get(callback.check)
    faults.get(lambda: check_metrics(callbacks, model_name, has_val))
    faults.get(lambda: _check_optimizer(spec))
    if spec.push is not None:
        faults.get(partial(check_form, spec.push))
    if spec.lora is not None:
        faults.get(check_peft)
    if spec.layer_decay is not None:
        for model in (spec.model, spec.query_model, spec.index_model):
            if isinstance(model, nn.Module):  # what is yet to be loaded is looked at then
                faults.get(partial(known_depths, model, type(model).__name__))
    if spec.compile:
        faults.get(lambda: check_compiler(spec.device))
    if spec.shard:
        faults.get(lambda: check_shard(spec))
    if spec.augment and spec.prepares_itself:
        faults.add("augment: a module of your own prepares its pictures; vary them there")
    if spec.augment and train is not None and "image" not in train.modalities:
        faults.add(f"augment: {train.source} has no pictures; leave augment out")
    loss = "InfoNCE" if spec.loss == "auto" else faults.get(lambda: check_name(spec.loss))
    kind = ""
    if train is not None:
        kind = kind_of(train)
        if len(train) < 2:
            faults.add(f"train_data: {train.source} has a single row; a step compares two or more")
        if spec.loss == "auto":
            loss = auto_loss(kind)
        if loss is not None:
            # Built once for its faults alone: the real one needs the model's dimension.
            dims = spec.matryoshka_dims
            faults.get(
                lambda: build_loss(
                    loss,
                    kind=kind,
                    num_classes=len(train.class_names) or None,
                    embedding_dim=max(dims or (8,)),
                    options=spec.loss_options,
                    matryoshka_dims=dims,
                )
            )
        if val is not None and kind_of(val) != kind:
            faults.add(f"eval_data: holds {kind_of(val)}, but train_data {kind}")
    faults.report()
    return Plan(spec, train, val, tuple(callbacks), model_name, loss, kind, keep)


def _check_optimizer(spec: RunSpec) -> None:
    """Build optimizer and schedule once for their faults alone, around a module of no size."""
    names = ("optimizer", "optimizer_options", "scheduler", "scheduler_options", "weight_decay")
    config = FitConfig(**{name: getattr(spec, name) for name in names})
    check_names(config)
    try:
        optimizer = build_optimizer(nn.Linear(1, 1), nn.Identity(), config)
        build_scheduler(optimizer, config, steps=10)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SpecError(
            [
                f"optimizer {spec.optimizer}, scheduler {spec.scheduler}: {error}; look at their "
                "options, optimizer_options and scheduler_options"
            ]
        ) from error


def kind_of(examples: Examples) -> str:
    """The kind of some data as the losses call it."""
    if examples.kind is Kind.NEGATIVES and examples.scores is not None:
        return "distillation"
    return examples.kind.value


def name_of(spec: RunSpec) -> str:
    """The short name of the model, without loading it; the prefix of its metrics.

    Raises:
        UnknownName: There is no such model.
    """
    if spec.query_model is not None:
        return f"{_name(spec.query_model)}-to-{_name(spec.index_model)}"
    return _name(spec.model)


def _name(model: Any) -> str:
    if isinstance(model, str | Path):
        if is_artifact(model):
            return read_manifest(Path(model)).name
        locate(str(model))
        return short_name(str(model))
    if isinstance(model, SentenceTransformer):
        base = model.model_card_data.base_model
        return short_name(base) if isinstance(base, str) else "model"
    if isinstance(model, nn.Module):
        return type(model).__name__.lower()
    raise SpecError([f"model: {model!r} is neither a name, a folder nor a module"])
