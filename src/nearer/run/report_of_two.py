"""The report of a comparison: two runs, or two points of one, side by side. Draws nothing."""

from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nearer.artifact.atomic import write_text
from nearer.evaluation.comparison import Comparison
from nearer.report.content import Page, Table
from nearer.report.page import number, render, signed
from nearer.report.queries import read_queries
from nearer.run.compare import texts_of
from nearer.run.handle import Run
from nearer.run.ranks import Ranks, find_ranks
from nearer.run.report import headline_of, sentence
from nearer.run.report_parts import curves, plain_value, status_facts


def write_comparison(
    run_a: Run, run_b: Run, compared: Comparison, evaluation: str | None, points: tuple[Any, Any]
) -> Path:
    """Write the page of a comparison into the folder of run b, over an earlier one.

    Args:
        run_a: What was compared.
        run_b: With what.
        compared: The comparison.
        evaluation: As it was asked for.
        points: The points that were compared.
    """
    page = comparison_page(run_a, run_b, compared, evaluation, points)
    same = run_a.folder == run_b.folder
    sides = [*([] if same else [run_a.experiment, run_a.name]), *map(str, points)]
    path = run_b.folder / f"compare-{'-'.join(quote(side, safe='') for side in sides)}.html"
    write_text(path, render(page))
    return path


def comparison_page(
    run_a: Run, run_b: Run, compared: Comparison, evaluation: str | None, points: tuple[Any, Any]
) -> Page:
    """What the report of a comparison says."""
    same = run_a.folder == run_b.folder
    texts = texts_of(run_a, run_b, evaluation)
    runs = [("", run_b)] if same else list(zip(_names(run_a, run_b), (run_a, run_b), strict=True))
    headline = headline_of(compared)
    what = {None: "these queries show no difference", True: "it is better", False: "it is worse"}
    return Page(
        title=f"{compared.labels[0]} and {compared.labels[1]}",
        kind=f"Comparison of run {run_b.name}" if same else "Comparison of two runs",
        verdict=(
            f"From {compared.labels[0]} to {compared.labels[1]}: {sentence(headline)}; "
            f"{what[headline.better]}. Of {len(compared):,} queries {compared.won:,} were won, "
            f"{compared.lost:,} lost, {compared.tied:,} stayed the same."
        ),
        remarks=tuple(
            compared.sentences()[1:-1] if headline.better is None else compared.sentences()[1:]
        ),
        headline=headline,
        plots=curves(runs, compared.metric),
        metrics=(_means(run_a, run_b, compared, evaluation, points),),
        queries=read_queries(compared, texts),
        settings=() if same else _settings(run_a, run_b),
        version=version("nearer"),
    )


def _means(
    run_a: Run, run_b: Run, compared: Comparison, evaluation: str | None, points: tuple[Any, Any]
) -> Table:
    """The metrics of both sides, as each run has them: over all of its own queries."""
    figures = [
        _at(run, find_ranks(run, point, evaluation))
        for run, point in zip((run_a, run_b), points, strict=True)
    ]
    rows = []
    for name in dict.fromkeys([*figures[0], *figures[1]]):
        a, b = (side.get(name) for side in figures)
        difference = "–" if a is None or b is None else signed(b - a)
        rows.append((name, number(a), number(b), difference))
    return Table(
        "Both sides, each over all of its own queries",
        ("metric", *compared.labels, "difference"),
        tuple(rows),
        numbers=True,
    )


def _at(run: Run, ranks: Ranks) -> dict[str, Any]:
    """The line of metrics.jsonl at the point of some ranks."""
    at = (ranks.epoch, ranks.step)
    return next((p["metrics"] for p in run.history if (p["epoch"], p["step"]) == at), {})


def _settings(run_a: Run, run_b: Run) -> tuple[Table, ...]:
    """What differs in the options of two runs, and how each of them stands."""
    specs = run_a.record["spec"], run_b.record["spec"]
    rows = []
    for name in dict.fromkeys([*specs[0], *specs[1]]):
        a, b = (plain_value(spec[name]) if name in spec else "default" for spec in specs)
        if a != b:
            rows.append((name, a, b))
    header = ("option", *_names(run_a, run_b))
    facts = dict(status_facts(run_a)), dict(status_facts(run_b))
    both = dict.fromkeys([*facts[0], *facts[1]])
    stands = tuple((name, facts[0].get(name, "–"), facts[1].get(name, "–")) for name in both)
    return (
        Table("Options that differ", header, tuple(rows)),
        Table("The runs", ("what", *_names(run_a, run_b)), stands),
    )


def _names(run_a: Run, run_b: Run) -> tuple[str, str]:
    if run_a.name != run_b.name:
        return run_a.name, run_b.name
    return f"{run_a.experiment}/{run_a.name}", f"{run_b.experiment}/{run_b.name}"
