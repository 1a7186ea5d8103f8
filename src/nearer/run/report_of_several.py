"""The report of a comparison: runs, or two points of one, side by side. Draws nothing."""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nearer.artifact.atomic import write_text
from nearer.report.content import Page, Table
from nearer.report.page import number, render, signed
from nearer.report.queries import read_queries
from nearer.run.compare import texts_of
from nearer.run.compare_several import HEADER, SideBySide, differing_options, names_of
from nearer.run.handle import Run
from nearer.run.ranks import Point, Ranks, find_ranks
from nearer.run.report import headline_of, sentence
from nearer.run.report_parts import curves, status_facts

LONG = 150
"""Characters of a file's name beyond which a hash stands for what it names."""


def write_comparison(
    side_by_side: SideBySide, evaluation: str | None, points: tuple[Point, Point]
) -> Path:
    """Write the page of a comparison into the folder of the last run, over an earlier one.

    Args:
        side_by_side: Runs and what their comparison came to.
        evaluation: As it was asked for.
        points: The points that were compared: of the first run, and of all others.
    """
    page = comparison_page(side_by_side, evaluation, points)
    *others, last = side_by_side.runs
    names = [n for run in others if run.folder != last.folder for n in (run.experiment, run.name)]
    name = "-".join(quote(str(part), safe="") for part in (*names, *points))
    if len(name) > LONG:
        name = hashlib.sha256(name.encode()).hexdigest()[:16]
    path = last.folder / f"compare-{name}.html"
    write_text(path, render(page))
    return path


def comparison_page(
    side_by_side: SideBySide, evaluation: str | None, points: tuple[Point, Point]
) -> Page:
    """What the report of a comparison says; of several runs the best is set against the first."""
    runs, shown, labels = side_by_side.runs, side_by_side.best, side_by_side.labels
    several = len(runs) > 2
    one = len({run.folder for run in runs}) == 1
    of_shown = runs[1 + side_by_side.comparisons.index(shown)]
    headline = headline_of(shown)
    what = {None: "these queries show no difference", True: "it is better", False: "it is worse"}
    verdict = (
        f"From {shown.labels[0]} to {shown.labels[1]}: {sentence(headline)}; "
        f"{what[headline.better]}. Of {len(shown):,} queries {shown.won:,} were won, "
        f"{shown.lost:,} lost, {shown.tied:,} stayed the same."
    )
    if several:
        verdict = f"Of the {len(runs) - 1} others {shown.labels[1]} is the best. {verdict}"
    remarks = shown.sentences()[1:-1] if headline.better is None else shown.sentences()[1:]
    return Page(
        title=" and ".join(labels) if not several else ", ".join(names_of(runs)),
        kind=f"Comparison of run {runs[-1].name}"
        if one
        else f"Comparison of {'two' if not several else len(runs)} runs",
        verdict=verdict,
        remarks=tuple(side_by_side.remarks() if several else remarks),
        headline=headline,
        plots=curves(
            [("", runs[-1])] if one else list(zip(names_of(runs), runs, strict=True)), shown.metric
        ),
        metrics=(
            *([_each(side_by_side)] if several else []),
            _means(side_by_side, evaluation, points),
        ),
        queries=read_queries(shown, texts_of(runs[0], of_shown, evaluation)),
        settings=() if one else _settings(runs),
        version=version("nearer"),
    )


def _each(side_by_side: SideBySide) -> Table:
    """Each run against the first, on the queries that both have."""
    rows = tuple(
        tuple(cell.replace("-", "−") if at else cell for at, cell in enumerate(row))
        for row in side_by_side.rows()
    )
    title = f"{side_by_side.metric}, each run against the first"
    return Table(title, HEADER, rows, numbers=True)


def _means(side_by_side: SideBySide, evaluation: str | None, points: tuple[Point, Point]) -> Table:
    """The metrics of all sides, as each run has them: over all of its own queries."""
    first, *others = side_by_side.runs
    figures = [_at(first, find_ranks(first, points[0], evaluation))]
    figures += [_at(run, find_ranks(run, points[1], evaluation)) for run in others]
    rows = []
    for name in dict.fromkeys(name for side in figures for name in side):
        values = [side.get(name) for side in figures]
        cells = [number(value) for value in values]
        if len(values) == 2:
            a, b = values
            cells.append("–" if a is None or b is None else signed(b - a))
        rows.append((name, *cells))
    two = len(figures) == 2
    return Table(
        f"{'Both' if two else 'All'} sides, each over all of its own queries",
        ("metric", *side_by_side.labels, *(["difference"] if two else [])),
        tuple(rows),
        numbers=True,
    )


def _at(run: Run, ranks: Ranks) -> dict[str, Any]:
    """The line of metrics.jsonl at the point of some ranks."""
    at = (ranks.epoch, ranks.step)
    return next((p["metrics"] for p in run.history if (p["epoch"], p["step"]) == at), {})


def _settings(runs: tuple[Run, ...]) -> tuple[Table, ...]:
    """What differs in the options of the runs, and how each of them stands."""
    names = names_of(runs)
    facts = [dict(status_facts(run)) for run in runs]
    stands = tuple(
        (name, *(of_run.get(name, "–") for of_run in facts))
        for name in dict.fromkeys(name for of_run in facts for name in of_run)
    )
    return (
        Table("Options that differ", ("option", *names), tuple(differing_options(runs))),
        Table("The runs", ("what", *names), stands),
    )
