"""The report of a run: what its folder holds, put into words for a page. Draws nothing."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nearer.artifact.atomic import write_text
from nearer.errors import NearerError
from nearer.evaluation.comparison import Comparison
from nearer.report.content import Headline, Page
from nearer.report.page import render
from nearer.report.queries import read_queries
from nearer.run.again import command_again
from nearer.run.compare import compare, texts_of
from nearer.run.handle import Run
from nearer.run.report_parts import (
    curves,
    metric_tables,
    setting_tables,
    status_facts,
    time_table,
)
from nearer.run.texts import Texts

LOGGER = logging.getLogger("nearer")
FILE = "report.html"


def write_report(run: Run, texts: Mapping[str, Texts] | None = None) -> Path:
    """Write the report of a run into its folder, over an earlier one; see `Run.report`.

    Args:
        run: The run, finished or not.
        texts: What the ids of each evaluation stand for; default: read the data again.
    """
    path = run.folder / FILE
    write_text(path, render(report_page(run, texts)))
    return path


def try_report(run: Run, texts: Mapping[str, Texts]) -> None:
    """Write the report at the end of a run; whatever goes wrong is said, and fails nothing."""
    try:
        LOGGER.info("Report: %s", write_report(run, texts))
    except Exception as error:  # the model is there; a page that describes it can be made later
        LOGGER.warning(
            "The report could not be written: %s; later: nearer runs report %s", error, run.name
        )


def report_page(run: Run, texts: Mapping[str, Texts] | None = None) -> Page:
    """What the report of a run says."""
    record, history = run.record, run.history
    remarks = [f"The run failed: {record['error']}"] if "error" in record else []
    compared: Comparison | None = None
    if run.evaluations:
        try:
            compared = _before_and_after(run, _watched(record))
        except NearerError as error:
            remarks.append(f"Queries could not be compared: {error}")
    queries = None
    if compared is not None:
        remarks += compared.notes
        name = run.evaluations[0]
        known = texts[name] if texts and name in texts else texts_of(run, run, name)
        queries = read_queries(compared, known)
        if not known:
            remarks.append(
                "The data of the evaluation is gone, has changed or was an object, so queries and "
                "documents are shown by their ids."
            )
    before, after = _figures(run)
    headline = headline_of(compared) if compared else _loss_headline(record, before, after)
    command, note = command_again(record["spec"])
    time = time_table(record)
    return Page(
        title=run.name,
        kind=f"Run of experiment {run.experiment}",
        verdict=_verdict(record, headline, compared),
        facts=status_facts(run),
        remarks=tuple(remarks),
        headline=headline,
        plots=curves([("", run)], headline.metric if headline else None),
        metrics=metric_tables(before, after, history),
        queries=queries,
        time=time,
        settings=setting_tables(record),
        command=command,
        command_note=note,
        version=version("nearer"),
    )


def headline_of(compared: Comparison) -> Headline:
    """The figure that a comparison comes to."""
    gain = compared.difference if compared.direction == "max" else -compared.difference
    return Headline(
        metric=compared.metric,
        labels=compared.labels,
        a=compared.a,
        b=compared.b,
        interval=(compared.interval.low, compared.interval.high),
        confidence=compared.interval.confidence,
        better=gain > 0 if compared.conclusive else None,
    )


def sentence(it: Headline) -> str:
    """A headline as a sentence."""
    if it.difference == 0:
        return f"{it.metric} is the same: {it.a:.4f}"
    verb = "rose" if it.difference > 0 else "fell"
    return f"{it.metric} {verb} from {it.a:.4f} to {it.b:.4f}"


def _before_and_after(run: Run, watched: str | None) -> Comparison | None:
    """Before against after, by what the run watched; None where there is nothing after yet."""
    try:
        compared = compare(run, run, epoch_a="before", epoch_b="after", metric=watched)
    except NearerError:
        if watched is None:
            raise
        compared = compare(run, run, epoch_a="before", epoch_b="after")  # val_loss is no ranking
    kept = run.record.get("kept")
    a, b = compared.labels
    if kept is None and a == b:
        return None
    now = "after" if kept is not None else "so far"
    return replace(compared, labels=(f"before ({a})", f"{now} ({b})"))


def _watched(record: Mapping[str, Any]) -> str | None:
    """The metric that the run was told to watch; None where it was left to the default."""
    spec = record["spec"]
    told = [spec.get("monitor")]
    told += [one.get("monitor") for one in spec.get("callbacks") or () if isinstance(one, dict)]
    return next((name for name in told if isinstance(name, str)), None)


def _figures(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics before and after; of a run that has not ended, those of the first and last point."""
    metrics, history = run.metrics(), run.history
    if metrics["before"] or metrics["after"] or not history:
        return metrics["before"], metrics["after"]
    return history[0]["metrics"], history[-1]["metrics"] if len(history) > 1 else {}


def _loss_headline(
    record: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Headline | None:
    a, b = before.get("val_loss"), after.get("val_loss")
    if a is None or b is None:
        return None
    better = None if a == b else b < a
    return Headline("val_loss", ("before", "after"), a, b, better=better)


def _verdict(
    record: Mapping[str, Any], headline: Headline | None, compared: Comparison | None
) -> str:
    ended = record["status"] in ("finished", "interrupted")
    parts = []
    if ended and record.get("best_epoch") == 0 and record.get("steps"):
        parts.append("No epoch beat the model as it came, and that is what the artifact holds.")
    elif headline is None:
        parts.append("Nothing was measured both before and after, so there is no verdict.")
    elif headline.better is None:
        parts.append(f"{sentence(headline)}; these queries show no difference.")
    else:
        verb = "better" if headline.better else "worse"
        by = "" if ended else " so far"
        parts.append(f"Fine-tuning made it {verb}{by}: {sentence(headline)}.")
    if compared is not None and compared.won + compared.lost:
        parts.append(
            f"Of {len(compared):,} queries {compared.won:,} were won, {compared.lost:,} lost, "
            f"{compared.tied:,} stayed the same."
        )
    if not ended:
        parts.append(f"The run is {record['status']}; this is what there is of it.")
    return " ".join(parts)
