"""`nearer runs compare`, `examples` and `report`: what a run came to, query by query."""

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nearer.cli.runs import Experiment, Json, RunsDir
from nearer.errors import UsageError
from nearer.run.api import get_run

if TYPE_CHECKING:
    from nearer.run.handle import Run
Open = Annotated[bool, Parameter(help="Open the page in the browser.")]


def compare(
    name: str,
    other: str | None = None,
    /,
    *,
    epochs: str | None = None,
    metric: str | None = None,
    evaluation: str | None = None,
    show: int = 5,
    report: Annotated[bool, Parameter(help="Write a page instead, and print where it is.")] = False,
    open: Open = False,
    experiment: Experiment = None,
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
    if report or open:
        from nearer.run.report_of_two import write_comparison

        _print_page(write_comparison(run_a, run_b, comparison, evaluation, points), open)
    elif json:
        print(jsonlib.dumps(comparison.to_dict(show), ensure_ascii=False))
    else:
        display_comparison(comparison, texts_of(run_a, run_b, evaluation), show)
    return 0


def examples(
    name: str,
    /,
    *,
    k: int = 5,
    queries: Annotated[list[str] | None, Parameter(negative=())] = None,
    evaluation: str | None = None,
    experiment: Experiment = None,
    runs_dir: RunsDir = None,
    json: Json = False,
) -> int:
    """Show the best results of some queries before and after.

    Args:
        name: The run.
        k: Most documents a query.
        queries: Id or text of a query; may be given several times. Default: a few that were drawn.
        evaluation: Name of the evaluation; default: the first of the run.
    """
    run = get_run(name, experiment, runs_dir)
    if json:
        print(jsonlib.dumps(run.example_results(queries, k, evaluation), ensure_ascii=False))
    else:
        run.display_examples(k, queries, evaluation)
    return 0


def report(
    name: str,
    /,
    *,
    open: Open = False,
    experiment: Experiment = None,
    runs_dir: RunsDir = None,
) -> int:
    """Write the report of a run, one HTML page, and print where it is.

    Args:
        name: The run.
    """
    _print_page(get_run(name, experiment, runs_dir).report(), open)
    return 0


def _points(text: str) -> tuple[int | str, int | str]:
    words = [word.strip() for word in text.split(",")]
    if len(words) != 2 or not all(words):
        raise UsageError(f"epochs: {text!r}; must be two points, such as 0,3 or before,after")
    a, b = (int(word) if word.isdecimal() else word for word in words)
    return a, b


def _run(name: str, experiment: str | None, runs_dir: Path | None) -> "Run":
    of, _, alone = name.rpartition("/")
    return get_run(alone, of or experiment, runs_dir)


def _print_page(path: Path, show: bool) -> None:
    print(path.absolute())
    if show:
        import webbrowser

        webbrowser.open(path.absolute().as_uri())
