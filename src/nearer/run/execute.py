"""From a spec to a finished run: check, record, load, fit, build the artifact, say how it went."""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from accelerate import Accelerator
from accelerate.utils import set_seed

from nearer.callbacks import ProgressBar
from nearer.callbacks.spare import Spare
from nearer.encoder.compiling import compile_encoder
from nearer.encoder.kept import KeptFolders, default_kept
from nearer.encoder.protocol import Precision, Track, untracked
from nearer.encoder.sharing import SharedEmbeddings
from nearer.encoder.store import default_store
from nearer.errors import Interrupted, NearerError, ProcessLost, UsageError
from nearer.loop.fit import fit as run_loop
from nearer.loop.world import World
from nearer.run.batch_losses import BatchLosses
from nearer.run.build import (
    build_batches,
    build_encoder,
    build_loss_for,
    fit_config,
    keep_frozen_parts,
    training_facts,
    training_notes,
)
from nearer.run.device import check_device, make_accelerator, resolve_precision
from nearer.run.disk import disk_fault, is_disk_fault
from nearer.run.door import Plan, check
from nearer.run.examples import write_examples
from nearer.run.facts import facts_of
from nearer.run.finish import (
    best_epoch,
    build_artifact,
    first,
    interpolated,
    kept_point,
    metrics_of,
    next_command,
    say_how_it_went,
    send_artifact,
)
from nearer.run.folder import log_to, note_end, note_failure, take_folder
from nearer.run.forecast import with_forecast
from nearer.run.handle import Run
from nearer.run.launch import main_first, on_all, open_world, quiet_but_first
from nearer.run.lock import process, release
from nearer.run.record import RunFolder, now
from nearer.run.recorder import Recorder
from nearer.run.report import try_report
from nearer.run.resume import ANEW, Resumption, resume_command, spec_of, take_up
from nearer.run.shard import around_a_split, shard, whole_again
from nearer.run.ship import check_push, push_at_the_end
from nearer.run.signals import SignalWatch
from nearer.run.stopping import Requests, forget
from nearer.run.stopwatch import Stopwatch
from nearer.run.texts import Texts
from nearer.run.tokenise import tokenise_data

LOGGER = logging.getLogger("nearer")
Begun = Callable[[RunFolder, ProgressBar], None]


def execute(options: dict[str, Any], begun: Begun | None = None) -> Run:
    """Run what some options describe, from the check at the door to the artifact.

    Args:
        options: As they were given.
        begun: Called once the run has its folder and its log; from then on it is kept, whatever
            comes of it.

    Returns:
        The finished run.

    Raises:
        NearerError: Something is wrong with the request; nothing was started.
        Interrupted: A signal ended it; `error.run` has the best model so far.
    """
    spec, earlier = spec_of(options)
    if earlier is not None and earlier.read()["status"] == "finished":
        with ProgressBar():
            LOGGER.info("Run %s is finished; this is its result", spec.name)
        return Run(earlier.path)
    check_device(spec.device)
    accelerator = make_accelerator(spec.device)
    world = open_world(accelerator.device)
    encode = SharedEmbeddings(default_store())
    keep = default_kept()
    with ExitStack() as stack:
        stack.enter_context(quiet_but_first(world))
        plan = main_first(world, partial(check, spec, keep))
        precision = resolve_precision(spec.precision, accelerator.device)
        facts = facts_of(plan, accelerator.device, precision, world)
        resumption = on_all(world, partial(take_up, earlier, facts, verify=spec.verify))
        main_first(world, partial(check_push, spec.push if world.is_main else None, earlier))
        folder = take_folder(plan, earlier, world)
        stack.callback(release, folder.path)
        bar = next(c for c in plan.callbacks if isinstance(c, ProgressBar))
        if world.is_main:
            stack.enter_context(log_to(folder))
            if begun is not None:
                begun(folder, bar)
            stack.enter_context(bar)
        stack.callback(forget, folder.path)
        watch = stack.enter_context(SignalWatch(Requests(folder.path)))
        track = bar.track if world.is_main else untracked
        try:
            with around_a_split(spec.shard, world):
                run = _run(plan, folder, track, watch, encode, accelerator, world, keep, resumption)
        except Interrupted as error:
            error.told = not world.is_main
            if error.run is None:  # it came before the first step
                note_end(folder, error, status="interrupted", error=str(error), finished=now())
            raise
        except BaseException as error:
            world.fail(error)
            if isinstance(error, NearerError) and not isinstance(error, ProcessLost):
                error.told = not world.is_main  # which it reaches, or reaches as a ProcessLost
            fresh = earlier is None and begun is None and not folder.metrics.exists()
            if isinstance(error, UsageError) and fresh:
                folder.remove()  # only the model could tell; nothing was started, nothing is left
                raise
            note_failure(folder, error)
            if isinstance(error, OSError) and is_disk_fault(error):
                raise disk_fault(error, folder.path) from error
            raise
        if spec.push is not None:  # the run is finished by now, whatever comes of this
            pushes = partial(push_at_the_end, folder, spec.push)
            on_all(world, lambda: pushes() if world.is_main else None)
        return run


def _run(
    plan: Plan,
    folder: RunFolder,
    track: Track,
    watch: SignalWatch,
    encode: SharedEmbeddings,
    accelerator: Accelerator,
    world: World,
    keep: KeptFolders | None,
    resumption: Resumption,
) -> Run:
    began = time.monotonic() - resumption.seconds
    spec = plan.spec
    precision: Precision = resumption.facts["precision"]
    folder.update(
        status="running",
        started=now(),
        process=process(),
        processes=world.size,
        data=resumption.facts["data"],
    )
    LOGGER.info("Run %s of experiment %s in %s", folder.path.name, spec.experiment, folder.path)
    resumption.say()
    set_seed(spec.seed)
    encoder = on_all(world, partial(build_encoder, plan, precision))
    if spec.shard:
        shard(encoder, world)
    encoder.module.to(accelerator.device)
    trained = encoder if spec.shard else keep_frozen_parts(plan, encoder)
    if spec.compile:
        compile_encoder(encoder)
    config = fit_config(plan, encoder)
    loss = build_loss_for(plan, encoder)
    train, val = build_batches(plan)
    folder.update(training=training_facts(plan, train))
    LOGGER.info(
        "Training on %s rows (%s), %s batches an epoch; loss %s, %s on %s%s",
        f"{len(plan.train):,}",
        plan.kind,
        f"{len(train):,}",
        plan.loss,
        precision,
        accelerator.device,
        "" if world.size == 1 else f", {world.size} processes",
    )
    for note in training_notes(plan):
        LOGGER.warning("%s", note)
    if resumption.fit is not None and trained is not encoder:
        LOGGER.warning("%s", ANEW)
    if keep is not None and trained is encoder:  # else each item is tokenised once anyway
        main_first(world, partial(tokenise_data, plan, encoder, keep, track, watch))
    config = with_forecast(folder, trained, encoder, train, config, world)
    interrupted: Interrupted | None = None
    stopwatch = Stopwatch()
    records = [Recorder(folder, plan.evaluations), BatchLosses(folder.losses)]
    with resumption.keeper(folder, spec.checkpoint_every, world) as keeper:
        try:
            result = run_loop(
                trained,
                loss,
                train,
                config=config,
                callbacks=[*plan.callbacks, *records, stopwatch],
                val=val,
                accelerator=accelerator,
                encode=encode,
                track=track,
                signal=watch,
                world=world,
                keeper=keeper,
                resume=resumption.fit,
            )
        except Interrupted as error:
            interrupted, result = error, error.result
    seconds = time.monotonic() - began
    say_how_it_went(plan, result, seconds)
    if spec.shard:
        encoder = whole_again(plan, precision, encoder, world)
    if world.is_main:
        build_artifact(plan, folder, encoder, result)
        with Spare("examples").attempt():
            write_examples(plan, folder, result)
    whole = time.monotonic() - began
    folder.update(
        status="interrupted" if interrupted else "finished",
        stop_reason={"kind": result.stop_reason.kind, "detail": result.stop_reason.detail},
        epochs_run=result.epochs_run,
        steps=result.steps,
        skipped_batches=result.skipped_batches,
        best_epoch=best_epoch(plan, result),
        kept=kept_point(result),
        wise_ft=interpolated(plan),
        metrics={"before": metrics_of(first(result)), "after": metrics_of(result.kept)},
        finished=now(),
        seconds=round(whole, 3),
        seconds_by=stopwatch.of(whole, whole - seconds),
    )
    LOGGER.info("Artifact: %s", folder.artifact)
    run = Run(folder.path)
    if world.is_main:
        try_report(
            run, {e.prefix(plan.model_name): Texts(e.evaluation_set) for e in plan.evaluations}
        )
        send_artifact(plan, folder)
    world.wait()  # a launcher ends all processes soon after the first of them has ended
    if interrupted:
        LOGGER.info("Go on with: %s", resume_command(run.folder))
        interrupted.run = run
        raise interrupted
    resumption.forget(folder, world)
    LOGGER.info("Next: %s", next_command(plan, folder))
    return run
