"""`nearer runs`: list runs, show one, delete one; where its other commands are."""

import json as jsonlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from nearer.cli.output import print_history, print_metrics, print_table
from nearer.errors import UsageError, did_you_mean
from nearer.run.api import get_run, list_runs

if TYPE_CHECKING:
    from nearer.run.handle import Run

app = App(
    name="runs",
    help="List runs, show one, go on with one, compare some.",
    help_format="plaintext",
    default_parameter=Parameter(negative=()),
    result_action="return_value",
)

Json = Annotated[bool, Parameter(help="Print one JSON object and nothing else.")]
Experiment = Annotated[
    str | None,
    Parameter(help="Needed only where two experiments have a run of that name."),
]
RunsDir = Annotated[
    Path | None, Parameter(help="Folder of all runs; default: NEARER_RUNS, else ./runs.")
]


COMMANDS = {
    "list": ("runs:list_", "List all runs, or those of one experiment."),
    "show": ("runs:show", "Show one run: status, why it ended, metrics, how to go on from here."),
    "resume": ("working:resume", "Go on with a run where it was interrupted."),
    "logs": ("working:logs", "Print the log of a run."),
    "stop": ("working:stop", "Ask a run to end, from any process."),
    "compare": ("comparing:compare", "Compare runs, or two epochs of one, query by query."),
    "examples": ("comparing:examples", "Show the best results of some queries before and after."),
    "report": ("comparing:report", "Write the report of a run, one HTML page."),
    "push": ("push:push", "Copy the artifact of a run to a URL."),
    "delete": ("runs:delete", "Delete a run with its model, metrics and log; asks before."),
}
"""Where each command is; its module is imported only when it is called."""

for _name, (_target, _help) in COMMANDS.items():
    app.command(f"nearer.cli.{_target}", name=_name, help=_help)

COLUMNS = {
    "experiment": "experiment",
    "run": "run",
    "status": "status",
    "epochs": "epochs_run",
    "best": "best_epoch",
    "seconds": "seconds",
    "created": "created",
}
SORT = ("name", "created", "seconds", "status")
STATUSES = ("created", "running", "finished", "failed", "interrupted", "dead")


def list_(
    *,
    experiment: str | None = None,
    status: str | None = None,
    sort: str = "name",
    runs_dir: RunsDir = None,
    json: Json = False,
) -> int:
    """List all runs, or those of one experiment.

    Args:
        experiment: Only the runs of this experiment.
        status: Only those that are so: created, running, finished, failed, interrupted, dead.
        sort: name (by experiment), created (the newest first), seconds (the longest first), status.
    """
    _one_of("status", status, STATUSES)
    _one_of("sort", sort, SORT)
    found: list[dict[str, Any]] = []
    for run in list_runs(experiment, runs_dir):
        record = run.record
        found.append(
            {
                "run": run.name,
                "experiment": run.experiment,
                "status": record["status"],
                "created": record["created"],
                "epochs_run": record.get("epochs_run"),
                "best_epoch": record.get("best_epoch"),
                "seconds": record.get("seconds"),
                "stop_reason": record["stop_reason"],
            }
        )
    found = [row for row in found if status in (None, row["status"])]
    if sort != "name":
        found.sort(
            key=lambda row: row[sort] or (0 if sort == "seconds" else ""), reverse=sort != "status"
        )
    if json:
        print(jsonlib.dumps({"runs": found}, ensure_ascii=False))
        return 0
    cells = [tuple(_cell(row[name]) for name in COLUMNS.values()) for row in found]
    print_table([tuple(COLUMNS), *cells], sys.stdout)
    for row in found:
        if row["status"] == "dead":
            where = f" --experiment {row['experiment']}" if row["experiment"] != "default" else ""
            print(f"{row['run']} is dead; nearer runs resume {row['run']}{where}")
    return 0


def show(
    name: str, /, *, experiment: Experiment = None, runs_dir: RunsDir = None, json: Json = False
) -> int:
    """Show one run: status, why it ended, metrics, how to go on from here.

    Args:
        name: The run.
    """
    run = get_run(name, experiment, runs_dir)
    result = run.result()
    if json:
        print(jsonlib.dumps(result, ensure_ascii=False))
        return 0
    reason = run.stop_reason
    print(f"run: {run.name}\nexperiment: {run.experiment}\nstatus: {run.status}")
    if reason is not None:
        print(f"stopped: {reason.detail} ({reason.kind})")
    if "error" in run.record:
        print(f"error: {run.record['error']}")
    print(f"epochs: {result['epochs_run']}\nbest epoch: {_cell(result['best_epoch'])}")
    print(f"seconds: {_cell(result['seconds'])}\nartifact: {_cell(result['artifact'])}\n")
    print_metrics(result["metrics"], sys.stdout)
    print()
    print_history(result["history"], sys.stdout)
    print("\nNext:")
    for command in _next(run, experiment, runs_dir):
        print(f"  {command}")
    return 0


def delete(
    name: str,
    /,
    *,
    yes: Annotated[bool, Parameter(help="Delete without asking.")] = False,
    experiment: Experiment = None,
    runs_dir: RunsDir = None,
) -> int:
    """Delete a run with its model, metrics and log; asks before.

    Args:
        name: The run.
    """
    from nearer.run.deleting import delete_run

    run = get_run(name, experiment, runs_dir)
    what = f'run "{run.name}" of experiment "{run.experiment}" ({run.status}), {run.folder}'
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"there is nobody to ask whether to delete {what}; add --yes")
        print(f"Delete {what}? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print("Nothing was deleted.", file=sys.stderr)
            return 0
    delete_run(run)
    print(f"deleted: {what}", file=sys.stderr)
    return 0


def _next(run: "Run", experiment: str | None, runs_dir: Path | None) -> list[str]:
    """Commands that go on from a run."""
    rest = ["--experiment", experiment] if experiment else []
    rest += ["--runs-dir", str(runs_dir)] if runs_dir else []
    verbs = {
        "finished": ("compare", "examples") if run.evaluations else (),
        "running": ("logs", "stop"),
        "created": ("logs", "stop"),
    }.get(run.status, ("resume",))
    return [shlex.join(["nearer", "runs", verb, run.name, *rest]) for verb in (*verbs, "report")]


def _one_of(option: str, value: str | None, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise UsageError(
            f"{option}: {value!r}; must be one of {', '.join(known)}.{did_you_mean(value, known)}"
        )


def _cell(value: Any) -> str:
    return "-" if value is None else str(value)
