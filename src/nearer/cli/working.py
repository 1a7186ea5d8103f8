"""`nearer runs resume|logs|stop`: a run that is at work, or is to go on."""

import sys
import time
from typing import Annotated, Any

from cyclopts import Parameter

from nearer.cli.fit import Detach, execute_and_print
from nearer.cli.runs import Experiment, Json, RunsDir
from nearer.run.api import get_run
from nearer.run.record import RunFolder
from nearer.run.stopping import at_work


def resume(
    name: str,
    /,
    *,
    verify: Annotated[
        bool, Parameter(help="Replay the last steps before the checkpoint and compare.")
    ] = False,
    experiment: Experiment = None,
    runs_dir: RunsDir = None,
    detach: Detach = False,
    json: Json = False,
) -> int:
    """Go on with a run that was interrupted, failed or killed, from its last checkpoint.

    Args:
        name: The run.
    """
    options: dict[str, Any] = {"name": name, "resume": True}
    if verify:
        options["verify"] = True
    if experiment is not None:
        options["experiment"] = experiment
    if runs_dir is not None:
        options["runs_dir"] = str(runs_dir)
    return execute_and_print(options, json, detach)


def logs(
    name: str,
    /,
    *,
    follow: Annotated[bool, Parameter(help="Go on until the run has ended.")] = False,
    experiment: Experiment = None,
    runs_dir: RunsDir = None,
) -> int:
    """Print the log of a run.

    Args:
        name: The run.
    """
    run = get_run(name, experiment, runs_dir)
    printed = 0
    while True:
        working = at_work(RunFolder(run.folder))  # asked first, so that no end is missed
        said = run.logs()
        print(said[printed:], end="", flush=True)
        printed = len(said)
        if not (follow and working):
            return 0
        time.sleep(0.5)


def stop(
    name: str,
    /,
    *,
    wait: Annotated[bool, Parameter(help="Return when the run has ended.")] = False,
    experiment: Experiment = None,
    runs_dir: RunsDir = None,
) -> int:
    """Ask a run to stop: it finishes its step, keeps a checkpoint and the best model, and ends.

    Args:
        name: The run.
    """
    run = get_run(name, experiment, runs_dir)
    before = run.stop()
    said = "was asked to stop" if before is None else f"was asked to stop already, by {before}"
    print(f'run "{run.name}" {said}; it ends after its step', file=sys.stderr)
    if wait:
        print(run.wait())
    return 0
