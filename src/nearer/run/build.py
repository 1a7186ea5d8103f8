"""From a checked plan to the parts that the loop takes: encoder, loss, batches, configuration."""

import logging
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from nearer.artifact.manifest import is_artifact
from nearer.artifact.store import load_artifact
from nearer.data.batch import BatchSource
from nearer.data.batches import FixedBatches, RandomBatches, check_batch_size
from nearer.data.class_batches import ClassBatches
from nearer.data.columns import Kind
from nearer.encoder.depth import rate_factors
from nearer.encoder.frozen import keep_frozen
from nearer.encoder.loading import EncoderOptions, load_encoder, load_towers, set_up
from nearer.encoder.lora import read_lora
from nearer.encoder.module import ModuleEncoder
from nearer.encoder.protocol import Encoder, Precision, Side
from nearer.encoder.sizes import parse_size
from nearer.encoder.store import cache_folder
from nearer.errors import ModelError
from nearer.loop.state import FitConfig
from nearer.losses.choose import build_loss
from nearer.losses.protocol import Loss
from nearer.run.augment import AugmentedBatches, augmentation_of
from nearer.run.door import Plan

LOGGER = logging.getLogger("nearer")
LEARNING_RATES = {"head": 1e-3, "lora": 2e-4, "text": 5e-5, "module": 1e-4}
"""Default peak rates: a head on a frozen backbone, adapters, a transformer, any other module."""

SAMPLES = 4
"""Rows that a frozen part is tried out with."""


def build_encoder(plan: Plan, precision: Precision) -> Encoder:
    """Load the model and set it up: prompts, length, head, freezing."""
    spec = plan.spec
    columns = plan.train.batch(np.array([0])).columns
    options = EncoderOptions(
        max_length=spec.max_length,
        query_prompt=spec.query_prompt,
        document_prompt=spec.document_prompt,
        precision=precision,
        output_dim=spec.output_dim,
        head=spec.head or "linear",
        pooling=spec.pooling,
        framing=spec.framing,
        freeze=spec.freeze,
        lora=None if spec.lora is None else read_lora(spec.lora),
        prepare=spec.prepare,
        sample=columns[0].items[0],
    )
    if spec.query_model is not None:
        other = columns[1 if len(columns) > 1 else 0].items[0]
        return load_towers(spec.query_model, spec.index_model, options, other)
    if is_artifact(spec.model):
        return set_up(load_artifact(Path(spec.model)), options)
    return load_encoder(spec.model, options, plan.model_name)


def keep_frozen_parts(plan: Plan, encoder: Encoder) -> Encoder:
    """Let what is frozen be computed once for each item, within `frozen_cache`."""
    spec, count = plan.spec, len(plan.train)
    some = plan.train.batch(np.unique(np.linspace(0, count - 1, SAMPLES).astype(np.int64)))
    samples: dict[Side, list[Any]] = {}
    for column in some.columns:
        samples.setdefault(column.side, []).extend(column.items)
    limit = parse_size(spec.frozen_cache, "frozen_cache")
    # What is compiled can't be cut open.
    return keep_frozen(encoder, samples, limit, cache_folder(), within_layers=not spec.compile)


def build_loss_for(plan: Plan, encoder: Encoder) -> Loss:
    """Build the loss for the data and the encoder."""
    try:
        dimension: int | None = encoder.dimension
    except ModelError:
        dimension = None
    return build_loss(
        plan.loss,
        kind=plan.kind,
        num_classes=len(plan.train.class_names) or None,
        embedding_dim=dimension,
        options=plan.spec.loss_options,
        matryoshka_dims=plan.spec.matryoshka_dims,
    )


def build_batches(plan: Plan) -> tuple[BatchSource, BatchSource | None]:
    """Batches of the training rows, and of the held-out ones if there are any."""
    spec, train = plan.spec, plan.train
    smaller = check_batch_size(train, spec.batch_size)
    if smaller:
        LOGGER.warning("%s", smaller)
    source: BatchSource
    if train.kind is Kind.LABELLED:
        balanced = ClassBatches(train, spec.batch_size, spec.seed, spec.items_per_class)
        if balanced.adjusted:
            LOGGER.warning("%s", balanced.adjusted)
        source = balanced
    else:
        source = RandomBatches(train, spec.batch_size, spec.seed)
    how = augmentation_of(plan)
    if how is not None:
        LOGGER.info("Pictures are trained on as views: %s", how)
        source = AugmentedBatches(source, train.modalities, how, spec.seed)
    return source, None if plan.val is None else FixedBatches(plan.val, spec.batch_size)


def training_facts(plan: Plan, batches: BatchSource) -> dict[str, Any]:
    """What run.json says of the training rows: how many count, and how classes meet in a batch."""
    train = plan.train
    facts: dict[str, Any] = {
        "rows": len(train),
        "skipped": train.skipped,
        "reasons": list(train.reasons),
    }
    if isinstance(batches, ClassBatches) and train.labels is not None:
        facts |= {
            "classes": len(np.unique(train.labels)),
            "lone_classes": train.lone_classes,
            "classes_per_batch": batches.classes_per_batch,
            "items_per_class": batches.items_per_class,
            "adjusted": batches.adjusted,
        }
    return facts


def training_notes(plan: Plan) -> Iterator[str]:
    """What in the training data does not count, though the run can still be right."""
    for examples in (plan.train, plan.val):
        if examples is not None and examples.skipped:
            yield f"{examples.source}: {examples.skipped:,} rows left out; {examples.reasons[0]}"
    lone = plan.train.lone_classes
    if lone:
        noun = "class has" if lone == 1 else "classes have"
        yield (
            f"{lone:,} {noun} a single row, which has nothing to come nearer to: it only keeps the "
            "other classes away. Add rows, or leave it out"
        )


def fit_config(plan: Plan, encoder: Encoder) -> FitConfig:
    """The loop's configuration: the spec's options of the same names, and what follows from it."""
    spec = plan.spec
    own: dict[str, Any] = {
        f.name: getattr(spec, f.name)
        for f in fields(FitConfig)
        if f.name in type(spec).model_fields
    }
    own["learning_rate"] = spec.learning_rate or _learning_rate(plan, encoder)
    own["keep"] = plan.keep
    if spec.layer_decay is not None:
        own["rate_factors"] = rate_factors(encoder, spec.layer_decay)
    return FitConfig(
        **own,
        model_name=plan.model_name,
        fresh_head=spec.output_dim is not None,
    )


def _learning_rate(plan: Plan, encoder: Encoder) -> float:
    if plan.spec.freeze == "backbone":
        return LEARNING_RATES["head"]
    if plan.spec.lora is not None:
        return LEARNING_RATES["lora"]
    return LEARNING_RATES["module" if isinstance(encoder, ModuleEncoder) else "text"]
