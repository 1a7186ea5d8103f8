"""What commands share: faults of their arguments, and how results look on stdout (no colours)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from nearer.errors import SpecError


def print_metrics(metrics: Mapping[str, Mapping[str, float]], out: TextIO) -> None:
    """Print metrics before and after side by side."""
    before, after = metrics["before"], metrics["after"]
    names = list(dict.fromkeys([*before, *after]))
    rows = [(name, _number(before.get(name)), _number(after.get(name))) for name in names]
    if rows:
        print_table([("metric", "before", "after"), *rows], out)


HEADLINES = ("train_loss", "val_loss", "ndcg_at_k")


def print_history(history: Sequence[Mapping[str, Any]], out: TextIO) -> None:
    """Print every evaluation point with its losses and nDCG."""
    names = dict.fromkeys(n for point in history for n in point["metrics"] if n.endswith(HEADLINES))
    header = ("epoch", "step", *names)
    rows = [
        (str(p["epoch"]), str(p["step"]), *(_number(p["metrics"].get(n)) for n in names))
        for p in history
    ]
    if rows:
        print_table([header, *rows], out)


def print_table(rows: Sequence[Sequence[str]], out: TextIO) -> None:
    """Print rows in columns; the first row is the header."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip(), file=out)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5f}"


class Faults:
    """Faults of a command's arguments, reported all at once."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, fault: str) -> None:
        """Keep a fault for the report."""
        self._found.append(fault)

    def read(self, option: str, reader: Callable[[str], Any], text: str) -> Any:
        """What a reader makes of an argument; its ValueError becomes a fault."""
        try:
            return reader(text)
        except ValueError as error:
            self.add(f"{option}: {error}")
            return None

    def report(self) -> None:
        """Raise SpecError if there was any."""
        if self._found:
            raise SpecError(self._found)
