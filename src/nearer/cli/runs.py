"""`nearer runs`: list runs, show one, read its log."""

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from nearer.cli.output import print_history, print_metrics, print_table
from nearer.run.api import get_run, list_runs

app = App(
    name="runs",
    help="List runs, show one, read its log.",
    help_format="plaintext",
    default_parameter=Parameter(negative=()),
    result_action="return_value",
)

Json = Annotated[bool, Parameter(help="Print one JSON object and nothing else.")]
RunsDir = Annotated[
    Path | None, Parameter(help="Folder of all runs; default: NEARER_RUNS, else ./runs.")
]


@app.command(name="list")
def list_(*, experiment: str | None = None, runs_dir: RunsDir = None, json: Json = False) -> int:
    """List all runs, or those of one experiment.

    Args:
        experiment: Only the runs of this experiment.
    """
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
    if json:
        print(jsonlib.dumps({"runs": found}, ensure_ascii=False))
        return 0
    header = ("experiment", "run", "status", "epochs", "best", "seconds", "created")
    names = ("experiment", "run", "status", "epochs_run", "best_epoch", "seconds", "created")
    print_table([header, *(tuple(_cell(r[n]) for n in names) for r in found)], sys.stdout)
    for row in found:
        if row["status"] == "dead":
            where = f" --experiment {row['experiment']}" if row["experiment"] != "default" else ""
            print(f"{row['run']} is dead; nearer fit --resume --name {row['run']}{where}")
    return 0


@app.command
def show(
    name: str, /, *, experiment: str | None = None, runs_dir: RunsDir = None, json: Json = False
) -> int:
    """Show one run: status, why it ended, metrics before and after, every evaluation.

    Args:
        name: The run.
        experiment: Needed only where two experiments have a run of that name.
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
    print(f"artifact: {_cell(result['artifact'])}\n")
    print_metrics(result["metrics"], sys.stdout)
    print()
    print_history(result["history"], sys.stdout)
    return 0


@app.command
def logs(name: str, /, *, experiment: str | None = None, runs_dir: RunsDir = None) -> int:
    """Print the log of a run.

    Args:
        name: The run.
        experiment: Needed only where two experiments have a run of that name.
    """
    print(get_run(name, experiment, runs_dir).logs(), end="")
    return 0


def _cell(value: Any) -> str:
    return "-" if value is None else str(value)
