"""`nearer runs compare`, `examples` and `report`: what a run came to, query by query."""

import json as jsonlib
import sys
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nearer.cli.output import print_table
from nearer.cli.runs import Experiment, Json, RunsDir
from nearer.errors import UsageError
from nearer.run.api import get_run

if TYPE_CHECKING:
    from nearer.run.compare_several import SideBySide
    from nearer.run.handle import Run
Open = Annotated[bool, Parameter(help="Open the page in the browser.")]


def compare(
    name: str,
    /,
    *others: str,
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
    """Compare runs, or two epochs of one, query by query.

    Args:
        name: The run; experiment/run where two experiments have one of that name.
        others: More runs, each compared with the first; default: the same one, before and after.
        epochs: Two points, such as 0,3: epochs, before, after, or step150, of the first run and of
            the others; default: before,after of one run, after,after of several.
        metric: What to compare by; default ndcg_at_k.
        evaluation: Name of the evaluation; default: the first of the run.
        show: Most queries won, and most lost, that are shown; of two runs, or of one.
    """
    from nearer.run.compare import texts_of
    from nearer.run.compare_several import compare_several
    from nearer.run.display import display_comparison

    points = _points(epochs or ("after,after" if others else "before,after"))
    if show < 0:
        raise UsageError(f"show: {show}; must be at least 0")
    runs = [_run(one, experiment, runs_dir) for one in (name, *(others or (name,)))]
    found = compare_several(runs, points, metric, evaluation)
    if report or open:
        from nearer.run.report_of_several import write_comparison

        _print_page(write_comparison(found, evaluation, points), open)
    elif json:
        each = [compared.to_dict(show) for compared in found.comparisons]
        said = each[0] if len(each) == 1 else {"comparisons": each}
        print(jsonlib.dumps(said, ensure_ascii=False))
    elif len(found.comparisons) == 1:
        display_comparison(found.comparisons[0], texts_of(runs[0], runs[1], evaluation), show)
    else:
        _print_side_by_side(found)
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


def _print_side_by_side(found: "SideBySide") -> None:
    """How several runs compare with the first, and where their options differ."""
    from nearer.run.compare_several import HEADER, differing_options, names_of

    print(f"{found.metric}, each run against the first")
    print_table([HEADER, *found.rows()], sys.stdout)
    for remark in found.remarks():
        print(remark)
    differing = differing_options(found.runs)
    if differing:
        print("\nOptions that differ:")
        cut = [tuple(shorten(cell, 40, placeholder=" …") for cell in row) for row in differing]
        print_table([("option", *names_of(found.runs)), *cut], sys.stdout)


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
