"""From a spec to a finished run: check, record, load, fit, build the artifact, say how it went."""

import logging
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from accelerate.utils import set_seed

from nearer.callbacks import ProgressBar
from nearer.encoder.compiling import compile_encoder
from nearer.encoder.sharing import SharedEmbeddings
from nearer.encoder.store import default_store
from nearer.errors import Interrupted, RunExists, SpecError, UsageError
from nearer.loop.fit import fit as run_loop
from nearer.run.build import (
    build_batches,
    build_encoder,
    build_loss_for,
    fit_config,
    keep_frozen_parts,
)
from nearer.run.device import check_device, make_accelerator, resolve_precision
from nearer.run.door import Plan, check
from nearer.run.examples import write_examples
from nearer.run.finish import (
    best_epoch,
    build_artifact,
    first,
    kept_point,
    metrics_of,
    next_command,
    say_how_it_went,
)
from nearer.run.handle import Run
from nearer.run.names import draw_name
from nearer.run.record import (
    RunFolder,
    create,
    find,
    fresh_record,
    now,
    process,
)
from nearer.run.recorder import Recorder
from nearer.run.signals import SignalWatch
from nearer.run.spec import RunSpec, parse, runs_folder
from nearer.run.spec_json import data_facts, lost, spec_to_json

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
    encode = SharedEmbeddings(default_store())
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
            return _run(plan, folder, bar, watch, encode)
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


def _run(
    plan: Plan, folder: RunFolder, bar: ProgressBar, watch: SignalWatch, encode: SharedEmbeddings
) -> Run:
    began = time.monotonic()
    spec = plan.spec
    folder.update(status="running", started=now(), process=process(), data=data_facts(plan))
    LOGGER.info("Run %s of experiment %s in %s", folder.path.name, spec.experiment, folder.path)
    accelerator = make_accelerator(spec.device)
    precision = resolve_precision(spec.precision, accelerator.device)
    set_seed(spec.seed)
    encoder = build_encoder(plan, precision)
    encoder.module.to(accelerator.device)
    trained = keep_frozen_parts(plan, encoder)
    if spec.compile:
        compile_encoder(encoder)
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
    for note in _notes(plan):
        LOGGER.warning("%s", note)
    interrupted: Interrupted | None = None
    try:
        result = run_loop(
            trained,
            loss,
            train,
            config=config,
            callbacks=[*plan.callbacks, Recorder(folder, plan.evaluations)],
            val=val,
            accelerator=accelerator,
            encode=encode,
            track=bar.track,
            signal=watch,
        )
    except Interrupted as error:
        interrupted, result = error, error.result
    seconds = time.monotonic() - began
    say_how_it_went(plan, result, seconds)
    build_artifact(plan, folder, encoder, result)
    write_examples(plan, folder, result)
    folder.update(
        status="interrupted" if interrupted else "finished",
        stop_reason={"kind": result.stop_reason.kind, "detail": result.stop_reason.detail},
        epochs_run=result.epochs_run,
        steps=result.steps,
        best_epoch=best_epoch(plan, result),
        kept=kept_point(result),
        metrics={"before": metrics_of(first(result)), "after": metrics_of(result.kept)},
        finished=now(),
        seconds=round(time.monotonic() - began, 3),
    )
    LOGGER.info("Artifact: %s", folder.artifact)
    run = Run(folder.path)
    if interrupted:
        LOGGER.info("Start again with: %s", again(run))
        interrupted.run = run
        raise interrupted
    LOGGER.info("Next: %s", next_command(plan, folder))
    return run


def _notes(plan: Plan) -> Iterator[str]:
    """What in the training data does not count, though the run can still be right."""
    for examples in (plan.train, plan.val):
        if examples is not None and examples.skipped:
            yield f"{examples.source}: {examples.skipped:,} rows left out; {examples.reasons[0]}"
    lone = plan.train.lone_classes
    if lone:
        noun = "class has" if lone == 1 else "classes have"
        yield f"{lone:,} {noun} a single row; there is nothing for it to come nearer to"


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
    faults = lost({name: value for name, value in recorded.items() if name not in options})
    if faults and record["status"] != "finished":
        raise SpecError(faults)
    return parse({**recorded, "experiment": folder.path.parent.name, **options}), folder


def _create(spec: RunSpec, described: dict[str, Any]) -> RunFolder:
    if spec.name is not None:
        return create(spec.runs_folder, spec.experiment, spec.name, described)
    while True:
        try:
            return create(spec.runs_folder, spec.experiment, draw_name(), described)
        except RunExists:
            continue


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
