"""When the loop has ended: what a run says of it, and the artifact that it leaves."""

import inspect
import logging
import shlex
from pathlib import Path
from typing import Any

from nearer.artifact.manifest import Manifest
from nearer.artifact.store import kind_of as artifact_kind
from nearer.artifact.store import save_artifact
from nearer.callbacks import Tracker, WiSEFT
from nearer.encoder.catalog import find_entry
from nearer.encoder.protocol import Encoder
from nearer.loop.state import EvaluationPoint, FitResult
from nearer.run.disk import artifact_is_whole
from nearer.run.door import Plan
from nearer.run.record import RunFolder, environment, plain_metrics
from nearer.run.ship import run_id

LOGGER = logging.getLogger("nearer")
DECIDE = (
    *("limit", "distance", "definitions", "truncate_dim", "query_sample_size", "sample_seed"),
    "both_directions",
)
"""Options of an evaluation that its figures hang on, beside the data."""


def say_how_it_went(plan: Plan, result: FitResult, seconds: float) -> None:
    """Say how it went, in the manner of the document that asked for this."""
    LOGGER.info("Done ✨")
    LOGGER.info("Finetuning took %s", duration(seconds))
    LOGGER.info("Stopped: %s", result.stop_reason.detail)
    if result.skipped_batches:
        skipped, steps = result.skipped_batches, result.steps
        LOGGER.warning("%s of %s batches had no finite loss and were skipped", skipped, steps)
    kept = result.kept
    if kept is not None and plan.keep == "best":
        if kept.epoch == 0 and result.steps:
            LOGGER.info("No epoch beat the model as it came; that is what the artifact holds")
        else:
            LOGGER.info("Best epoch: %s of %s", best_epoch(plan, result), result.epochs_run)
    before, after = metrics_of(first(result)), metrics_of(kept)
    for name, was in before.items():
        if was is not None and after.get(name) is not None:
            LOGGER.info(
                "Metric: '%s' before fine-tuning: %.5f after fine-tuning: %.5f",
                name,
                was,
                after[name],
            )


def build_artifact(plan: Plan, folder: RunFolder, encoder: Encoder, result: FitResult) -> None:
    """Write the encoder as it is now, with what it scored."""
    LOGGER.info("Building the artifact ...")
    spec = plan.spec
    base = base_model(spec.model, encoder.name)
    if spec.query_model is not None:
        query, index = encoder.name.split("-to-", 1)
        base = f"{base_model(spec.query_model, query)} + {base_model(spec.index_model, index)}"
    module = type(encoder.module)
    evaluations = plan.evaluations
    record = folder.read()
    with artifact_is_whole(folder.artifact):
        save_artifact(
            encoder,
            folder.artifact,
            Manifest(
                kind=artifact_kind(encoder),
                name=encoder.name,
                base_model=base,
                dimension=encoder.dimension,
                precision=encoder.precision,
                module_class=f"{module.__module__}.{module.__qualname__}",
                epoch=None if result.kept is None else result.kept.epoch,
                metrics=metrics_of(result.kept),
                definitions=evaluations[0].definitions if evaluations else "trec",
                run=run_id(record),
                spec=record["spec"],
                versions=environment()["versions"],
            ),
        )


def next_command(plan: Plan, folder: RunFolder) -> str:
    """The command that goes on from here: evaluate the artifact on the same data, if that is files.

    Its figures are those of the run, so that a user can see for himself.
    """
    words = ["nearer", "evaluate", str(folder.artifact)]
    data = plan.evaluations[0] if plan.evaluations else None
    if data is None or not isinstance(data.query_data, str | Path):
        return shlex.join(words) + " --query-data …"
    for name in ("query_data", "index_data", "qrels"):
        value = getattr(data, name)
        if isinstance(value, str | Path):
            words += [f"--{name.replace('_', '-')}", str(value)]
    defaults = inspect.signature(type(data)).parameters
    for name in DECIDE:
        value = getattr(data, name)
        if value != defaults[name].default:
            option = f"--{name.replace('_', '-')}"
            words += [option] if value is True else [option, str(value)]
    return shlex.join(words)


def base_model(model: Any, name: str) -> str:
    """What a model card names as the base: the hub id where there is one, never a local folder."""
    if not isinstance(model, str) or Path(model).exists():
        return name
    entry = find_entry(model)
    return model if entry is None else entry.id


def best_epoch(plan: Plan, result: FitResult) -> int | None:
    """The epoch that scored best; None where nothing was judged.

    Of weights between those that came and those of an epoch, that epoch.
    """
    if result.kept is None or plan.keep != "best":
        return None
    mixed = interpolated(plan)
    if mixed is not None and mixed["tuned"] is not None and 0 < mixed["alpha"] < 1:
        return int(mixed["tuned"]["epoch"])
    return result.kept.epoch


def interpolated(plan: Plan) -> dict[str, Any] | None:
    """What WiSE-FT did, as data; None where there was none, or a signal came before it."""
    return next((c.result for c in plan.callbacks if isinstance(c, WiSEFT)), None)


def kept_point(result: FitResult) -> dict[str, int] | None:
    """The point whose weights the artifact holds; None where they were not evaluated."""
    kept = result.kept
    return None if kept is None else {"epoch": kept.epoch, "step": kept.step}


def first(result: FitResult) -> EvaluationPoint | None:
    """The point at epoch 0; None where the fit did not get that far."""
    return result.history[0] if result.history else None


def metrics_of(point: EvaluationPoint | None) -> dict[str, float | None]:
    """The metrics of a point as JSON holds them."""
    return {} if point is None else plain_metrics(point.metrics)


def send_artifact(plan: Plan, folder: RunFolder) -> None:
    """Send the artifact to the trackers that take one; what fails there is told by them."""
    for callback in plan.callbacks:
        if isinstance(callback, Tracker):
            callback.send(folder.artifact)


def duration(seconds: float) -> str:
    """Seconds in words, as the document has them.

    Example:
        >>> duration(95)
        '0 days, 0 hours 1 minutes and 35 seconds'
    """
    whole = round(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    return f"{days} days, {hours} hours {minutes} minutes and {whole % 60} seconds"
