"""Parts that the report of a run and that of a comparison share: facts, curves, tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from nearer.report.content import Table
from nearer.report.page import number, signed
from nearer.report.plot import Plot, Series
from nearer.run.handle import Run
from nearer.run.record import plain_value

LOSSES = ("train_loss", "val_loss")
MOST_PLOTS = 12
PHASES = {
    "preparing": "reading, loading, tokenising, and the rest",
    "training": "training (checkpoints are written beside it)",
    "evaluation": "evaluation",
    "artifact": "building the artifact",
}


def status_facts(run: Run) -> tuple[tuple[str, str], ...]:
    """How a run stands: status, why it ended, whose weights are kept, where they are."""
    record, reason = run.record, run.stop_reason
    facts = [("Status", record["status"])]
    if reason is not None:
        facts.append(("Ended", f"{reason.detail} ({reason.kind})"))
    if "epochs_run" in record:
        facts.append(
            ("Trained", f"{record['epochs_run']} epochs, {record.get('steps', 0):,} steps")
        )
    kept = record.get("kept")
    if kept is not None:
        what = "the model as it came" if kept["epoch"] == 0 else f"step {kept['step']:,}"
        facts.append(("Artifact", f"epoch {kept['epoch']} ({what})"))
    if (run.folder / "artifact").is_dir():
        facts.append(("Folder", str((run.folder / "artifact").absolute())))
    if record.get("seconds") is not None:
        facts.append(("Time", _duration(record["seconds"])))
    facts.append(("Begun", record["created"].replace("T", " ").replace("+00:00", " UTC")))
    return tuple(facts)


def curves(runs: Sequence[tuple[str, Run]], first: str | None) -> tuple[Plot, ...]:
    """Losses in one plot, then a plot for each metric, the most important one first.

    Args:
        runs: Label and run; the label stands before the names where there are two.
        first: Key of the metric whose plot comes first.
    """
    lines: dict[str, list[Series]] = {}
    for label, run in runs:
        by_step = tuple((p["step"], p["epoch"], p["loss"]) for p in run.losses)
        if by_step and len(runs) == 1:  # of several it would hide the rest
            lines["loss"] = [Series("loss by step", by_step, thin=True)]
        names = run.evaluations
        for key in dict.fromkeys(k for point in run.history for k in point["metrics"]):
            points = tuple(
                (p["step"], p["epoch"], p["metrics"][key])
                for p in run.history
                if p["metrics"].get(key) is not None
            )
            if points:
                title = "loss" if key in LOSSES else _bare(key, names)
                said = (
                    f"{label} {key}".strip() if key in LOSSES or len(names) > 1 else label or title
                )
                lines.setdefault(title, []).append(Series(said, points))
    leading = _bare(first, [n for _, run in runs for n in run.evaluations]) if first else ""
    order = sorted(lines, key=lambda title: (title != leading, title != "loss"))
    alone = runs[0][1].record if len(runs) == 1 else {}
    kept, reason = alone.get("kept") or {}, alone.get("stop_reason") or {"kind": "completed"}
    stop = alone.get("steps") if reason["kind"] != "completed" else None
    return tuple(Plot(t, tuple(lines[t]), kept.get("step"), stop) for t in order[:MOST_PLOTS])


def metric_tables(
    before: Mapping[str, Any], after: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
) -> tuple[Table, ...]:
    """Every metric before and after, and at every evaluation point."""
    tables = []
    names = list(dict.fromkeys([*before, *after]))
    if names:
        rows = [(n, *_pair(before.get(n), after.get(n))) for n in names]
        header = ("metric", "before", "after", "difference")
        tables.append(Table("Before and after", header, tuple(rows), numbers=True))
    if history:
        keys = list(dict.fromkeys(k for point in history for k in point["metrics"]))
        points = [
            (str(p["epoch"]), f"{p['step']:,}", *(number(p["metrics"].get(k)) for k in keys))
            for p in history
        ]
        title = "Every evaluation"
        header_ = ("epoch", "step", *keys)
        tables.append(Table(title, header_, tuple(points), numbers=True, folded=True))
    return tuple(tables)


def time_table(record: Mapping[str, Any]) -> Table | None:
    """Where the time of a run went; None where it was not recorded."""
    spent = record.get("seconds_by")
    if not isinstance(spent, dict) or not spent:
        return None
    total = max(sum(spent.values()), 1e-9)
    rows = [
        (PHASES[n], _duration(spent[n]), f"{spent[n] / total:.0%}") for n in PHASES if n in spent
    ]
    shares = tuple(spent[n] / total for n in PHASES if n in spent)
    return Table("Where the time went", ("what", "time", "share"), tuple(rows), True, shares)


def setting_tables(record: Mapping[str, Any]) -> tuple[Table, ...]:
    """The spec, the data with its fingerprints, versions and machine."""
    spec = [(name, plain_value(value)) for name, value in record["spec"].items()]
    tables = [
        Table(
            "Options that were given; all others have their defaults",
            ("option", "value"),
            tuple(spec),
        )
    ]
    data = [
        (f"{name} {key}", plain_value(value))
        for name, facts in (record.get("data") or {}).items()
        for key, value in facts.items()
    ]
    if data:
        tables.append(Table("Data", ("what", "value"), tuple(data)))
    environment = record.get("environment") or {}
    machine = [(k, plain_value(v)) for k, v in environment.items() if k != "versions"]
    versions = list((environment.get("versions") or {}).items())
    if machine or versions:
        tables.append(Table("Machine and versions", ("what", "value"), (*machine, *versions)))
    return tuple(tables)


def _bare(key: str, evaluations: Sequence[str]) -> str:
    """A metric without the name of its evaluation."""
    for name in evaluations:
        if key.startswith(f"{name}_"):
            return key.removeprefix(f"{name}_")
    return key


def _pair(a: float | None, b: float | None) -> tuple[str, str, str]:
    return number(a), number(b), "–" if a is None or b is None else signed(b - a)


def _duration(seconds: float) -> str:
    """Seconds as a reader says them.

    Example:
        >>> _duration(95), _duration(4.25), _duration(7300)
        ('1 min 35 s', '4.2 s', '2 h 2 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
    return f"{whole // 3600} h {whole // 60 % 60} min"
