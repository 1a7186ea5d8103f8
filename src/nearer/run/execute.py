"""From a spec to a finished run: check, record, load, fit, build the artifact, say how it went."""

import logging
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from accelerate.utils import set_seed

from nearer.artifact.manifest import Manifest
from nearer.artifact.store import kind_of as artifact_kind
from nearer.artifact.store import save_artifact
from nearer.callbacks import ProgressBar
from nearer.encoder.catalog import find_entry
from nearer.encoder.protocol import Encoder
from nearer.errors import Interrupted, RunExists, UsageError
from nearer.loop.fit import fit as run_loop
from nearer.loop.state import EvaluationPoint, FitResult
from nearer.run.build import build_batches, build_encoder, build_loss_for, fit_config
from nearer.run.device import check_device, make_accelerator, resolve_precision
from nearer.run.door import Plan, check
from nearer.run.examples import write_examples
from nearer.run.handle import Run
from nearer.run.names import draw_name
from nearer.run.record import (
    RunFolder,
    create,
    environment,
    find,
    fresh_record,
    now,
    plain_metrics,
    process,
)
from nearer.run.recorder import Recorder
from nearer.run.signals import SignalWatch
from nearer.run.spec import RunSpec, parse, runs_folder
from nearer.run.spec_json import data_facts, spec_to_json

LOGGER = logging.getLogger("nearer")


def execute(options: dict[str, Any]) -> Run:
    """Run what some options describe, from the check at the door to the artifact.

    Returns:
        The finished run.

    Raises:
        NearerError: Something is wrong with the request; nothing was started.
        Interrupted: A signal ended it; `error.run` has the best model so far.
    """
    spec, earlier = _spec(options)
    if earlier is not None and earlier.read()["status"] == "finished":
        with ProgressBar():
            LOGGER.info("Run %s is finished; this is its result", spec.name)
        return Run(earlier.path)
    check_device(spec.device)
    plan = check(spec)
    described = spec_to_json(spec)
    if earlier is None:
        folder = _create(spec, described)
    else:
        folder = earlier
        folder.write(fresh_record(spec.experiment, folder.path.name, described))
    bar = next(c for c in plan.callbacks if isinstance(c, ProgressBar))
    with ExitStack() as stack:
        stack.enter_context(_log_to(folder))
        stack.enter_context(bar)
        watch = stack.enter_context(SignalWatch())
        try:
            return _run(plan, folder, bar, watch)
        except Interrupted:
            raise
        except BaseException as error:
            if isinstance(error, UsageError) and earlier is None and not folder.metrics.exists():
                folder.remove()  # only the model could tell; nothing was started, nothing is left
                raise
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            notes = getattr(error, "__notes__", [])
            said = "; ".join([f"{type(error).__name__}: {error}", *notes])
            folder.update(status=status, error=said, finished=now())
            LOGGER.error("Run %s %s: %s", folder.path.name, status, said)
            raise


def _run(plan: Plan, folder: RunFolder, bar: ProgressBar, watch: SignalWatch) -> Run:
    began = time.monotonic()
    spec = plan.spec
    folder.update(status="running", started=now(), process=process(), data=data_facts(plan))
    LOGGER.info("Run %s of experiment %s in %s", folder.path.name, spec.experiment, folder.path)
    accelerator = make_accelerator(spec.device)
    precision = resolve_precision(spec.precision, accelerator.device)
    set_seed(spec.seed)
    encoder = build_encoder(plan, precision)
    config = fit_config(plan, encoder)
    loss = build_loss_for(plan, encoder)
    train, val = build_batches(plan)
    LOGGER.info(
        "Training on %s rows (%s), %s batches an epoch; loss %s, %s on %s",
        f"{len(plan.train):,}",
        plan.kind,
        f"{len(train):,}",
        plan.loss,
        precision,
        accelerator.device,
    )
    interrupted: Interrupted | None = None
    try:
        result = run_loop(
            encoder,
            loss,
            train,
            config=config,
            callbacks=[*plan.callbacks, Recorder(folder, plan.evaluations)],
            val=val,
            accelerator=accelerator,
            track=bar.track,
            signal=watch,
        )
    except Interrupted as error:
        interrupted, result = error, error.result
    seconds = time.monotonic() - began
    _report(plan, result, seconds)
    _build_artifact(plan, folder, encoder, result)
    write_examples(plan, folder, result)
    folder.update(
        status="interrupted" if interrupted else "finished",
        stop_reason={"kind": result.stop_reason.kind, "detail": result.stop_reason.detail},
        epochs_run=result.epochs_run,
        steps=result.steps,
        best_epoch=_best_epoch(plan, result),
        metrics={"before": _metrics(_first(result)), "after": _metrics(result.kept)},
        finished=now(),
        seconds=round(time.monotonic() - began, 3),
    )
    LOGGER.info("Artifact: %s", folder.artifact)
    run = Run(folder.path)
    if interrupted:
        LOGGER.info("Start again with: %s", again(run))
        interrupted.run = run
        raise interrupted
    LOGGER.info("Next: nearer evaluate %s --query-data …", folder.artifact)
    return run


def again(run: Run) -> str:
    """The command that goes on with a run."""
    runs = run.folder.parent.parent
    elsewhere = "" if runs == runs_folder() else f" --runs-dir {shlex.quote(str(runs))}"
    experiment = (
        "" if run.experiment == "default" else f" --experiment {shlex.quote(run.experiment)}"
    )
    return f"nearer fit --resume --name {shlex.quote(run.name)}{experiment}{elsewhere}"


def _spec(options: dict[str, Any]) -> tuple[RunSpec, RunFolder | None]:
    """Parse the options; those of a resumed run are its recorded ones, overridden by the new."""
    if not options.get("resume") or not options.get("name"):
        return parse(options), None
    folder = find(runs_folder(options.get("runs_dir")), options["name"], options.get("experiment"))
    record = folder.read()
    if record["status"] in ("created", "running"):
        raise RunExists(
            f'run "{folder.path.name}" is still running, as process {record["process"]["pid"]} on '
            f"{record['process']['host']}; wait for it, or end that process first"
        )
    recorded = record["spec"]
    return parse({**recorded, "experiment": folder.path.parent.name, **options}), folder


def _create(spec: RunSpec, described: dict[str, Any]) -> RunFolder:
    if spec.name is not None:
        return create(spec.runs_folder, spec.experiment, spec.name, described)
    while True:
        try:
            return create(spec.runs_folder, spec.experiment, draw_name(), described)
        except RunExists:
            continue


def _report(plan: Plan, result: FitResult, seconds: float) -> None:
    """Say how it went, in the manner of the document that asked for this."""
    LOGGER.info("Done ✨")
    LOGGER.info("Finetuning took %s", duration(seconds))
    LOGGER.info("Stopped: %s", result.stop_reason.detail)
    kept = result.kept
    if kept is not None and plan.keep == "best":
        if kept.epoch == 0 and result.steps:
            LOGGER.info("No epoch beat the model as it came; that is what the artifact holds")
        else:
            LOGGER.info("Best epoch: %s of %s", kept.epoch, result.epochs_run)
    before, after = _metrics(_first(result)), _metrics(kept)
    for name, was in before.items():
        if was is not None and after.get(name) is not None:
            LOGGER.info(
                "Metric: '%s' before fine-tuning: %.5f after fine-tuning: %.5f",
                name,
                was,
                after[name],
            )


def _build_artifact(plan: Plan, folder: RunFolder, encoder: Encoder, result: FitResult) -> None:
    LOGGER.info("Building the artifact ...")
    spec = plan.spec
    base = base_model(spec.model, encoder.name)
    if spec.query_model is not None:
        query, index = encoder.name.split("-to-", 1)
        base = f"{base_model(spec.query_model, query)} + {base_model(spec.index_model, index)}"
    module = type(encoder.module)
    evaluations = plan.evaluations
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
            metrics=_metrics(result.kept),
            definitions=evaluations[0].definitions if evaluations else "trec",
            spec=folder.read()["spec"],
            versions=environment()["versions"],
        ),
    )


def base_model(model: Any, name: str) -> str:
    """What a model card names as the base: the hub id where there is one, never a local folder."""
    if not isinstance(model, str) or Path(model).exists():
        return name
    entry = find_entry(model)
    return model if entry is None else entry.id


def _best_epoch(plan: Plan, result: FitResult) -> int | None:
    return result.kept.epoch if result.kept is not None and plan.keep == "best" else None


def _first(result: FitResult) -> EvaluationPoint | None:
    return result.history[0] if result.history else None


def _metrics(point: EvaluationPoint | None) -> dict[str, float | None]:
    return {} if point is None else plain_metrics(point.metrics)


def duration(seconds: float) -> str:
    """Seconds in words, as the document has them.

    Example:
        >>> duration(95)
        '0 days, 0 hours 1 minutes and 35 seconds'
    """
    whole = round(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    return f"{days} days, {hours} hours {minutes} minutes and {whole % 60} seconds"


@contextmanager
def _log_to(folder: RunFolder) -> Iterator[None]:
    """Write what the console says to the run's log.txt as well, plain."""
    handler = logging.FileHandler(folder.log, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)-8s %(message)s"))
    LOGGER.addHandler(handler)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        handler.close()
