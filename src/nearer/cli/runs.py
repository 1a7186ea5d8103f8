"""`nearer runs`: list runs, show one, read its log, compare query by query, see examples."""

import json as jsonlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from nearer.cli.output import print_history, print_metrics, print_table
from nearer.errors import UsageError
from nearer.run.api import get_run, list_runs

if TYPE_CHECKING:
    from nearer.run.handle import Run

app = App(
    name="runs",
    help="List runs, show one, go on with one, read its log, compare two, see examples, push one.",
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
            print(f"{row['run']} is dead; nearer runs resume {row['run']}{where}")
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
def resume(
    name: str,
    /,
    *,
    verify: Annotated[
        bool, Parameter(help="Replay the last steps before the checkpoint and compare.")
    ] = False,
    experiment: str | None = None,
    runs_dir: RunsDir = None,
    json: Json = False,
) -> int:
    """Go on with a run that was interrupted, failed or killed, from its last checkpoint.

    Args:
        name: The run.
        experiment: Needed only where two experiments have a run of that name.
    """
    from nearer.cli.fit import execute_and_print

    options: dict[str, Any] = {"name": name, "resume": True}
    if verify:
        options["verify"] = True
    if experiment is not None:
        options["experiment"] = experiment
    if runs_dir is not None:
        options["runs_dir"] = str(runs_dir)
    return execute_and_print(options, json)


@app.command
def logs(name: str, /, *, experiment: str | None = None, runs_dir: RunsDir = None) -> int:
    """Print the log of a run.

    Args:
        name: The run.
        experiment: Needed only where two experiments have a run of that name.
    """
    print(get_run(name, experiment, runs_dir).logs(), end="")
    return 0


@app.command
def compare(
    name: str,
    other: str | None = None,
    /,
    *,
    epochs: str | None = None,
    metric: str | None = None,
    evaluation: str | None = None,
    show: int = 5,
    experiment: str | None = None,
    runs_dir: RunsDir = None,
    json: Json = False,
) -> int:
    """Compare two runs, or two epochs of one, query by query.

    Args:
        name: The run; experiment/run where two experiments have one of that name.
        other: Another run; default: the same one, before and after.
        epochs: Two points, such as 0,3: epochs, before, after, or step150; default: before,after
            of one run, after,after of two.
        metric: What to compare by; default ndcg_at_k.
        evaluation: Name of the evaluation; default: the first of the run.
        show: Most queries won, and most lost, that are shown.
        experiment: Needed only where two experiments have a run of that name.
    """
    from nearer.run.compare import compare as compare_runs
    from nearer.run.compare import texts_of
    from nearer.run.display import display_comparison

    points = _points(epochs or ("before,after" if other is None else "after,after"))
    if show < 0:
        raise UsageError(f"show: {show}; must be at least 0")
    run_a = _run(name, experiment, runs_dir)
    run_b = run_a if other is None else _run(other, experiment, runs_dir)
    comparison = compare_runs(
        run_a,
        run_b,
        epoch_a=points[0],
        epoch_b=points[1],
        metric=metric,
        evaluation=evaluation,
    )
    if json:
        print(jsonlib.dumps(comparison.to_dict(show), ensure_ascii=False))
    else:
        display_comparison(comparison, texts_of(run_a, run_b, evaluation), show)
    return 0


@app.command
def examples(
    name: str,
    /,
    *,
    k: int = 5,
    queries: Annotated[list[str] | None, Parameter(negative=())] = None,
    evaluation: str | None = None,
    experiment: str | None = None,
    runs_dir: RunsDir = None,
    json: Json = False,
) -> int:
    """Show the best results of some queries before and after.

    Args:
        name: The run.
        k: Most documents a query.
        queries: Id or text of a query; may be given several times. Default: a few that were drawn.
        evaluation: Name of the evaluation; default: the first of the run.
        experiment: Needed only where two experiments have a run of that name.
    """
    run = get_run(name, experiment, runs_dir)
    if json:
        print(jsonlib.dumps(run.example_results(queries, k, evaluation), ensure_ascii=False))
    else:
        run.display_examples(k, queries, evaluation)
    return 0


app.command("nearer.cli.push:push", name="push")


def _points(text: str) -> tuple[int | str, int | str]:
    words = [word.strip() for word in text.split(",")]
    if len(words) != 2 or not all(words):
        raise UsageError(f"epochs: {text!r}; must be two points, such as 0,3 or before,after")
    a, b = (int(word) if word.isdecimal() else word for word in words)
    return a, b


def _run(name: str, experiment: str | None, runs_dir: Path | None) -> "Run":
    of, _, alone = name.rpartition("/")
    return get_run(alone, of or experiment, runs_dir)


def _cell(value: Any) -> str:
    return "-" if value is None else str(value)
