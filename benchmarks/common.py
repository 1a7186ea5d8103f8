"""What the benchmarks share: the machine's name, the rows, how they are printed."""

import argparse
import json
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

DATA = Path(os.environ.get("NEARER_DATA", Path(__file__).parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class Row:
    """One measured comparison; a ratio above 1 means that ours is better."""

    name: str
    peer: str
    ours: float
    theirs: float
    ratio: float
    goal: float | None
    agree: bool | None


def machine() -> str:
    """The processor, its cores and the libraries that compute."""
    import torch

    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line for line in lines if line.startswith("model name")).split(": ")[1]
    except (OSError, StopIteration):
        pass
    python, cores = platform.python_version(), os.cpu_count()
    return f"{model}, {cores} cores, Python {python}, torch {torch.__version__}"


def main(name: str, measure: Callable[[argparse.Namespace], Iterable[Row]], **options: Any) -> None:
    """Parse `--quick` and `--json`, measure; print each row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the rows that fit in 4 minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    for option, default in options.items():
        how = {"action": "store_true"} if default is False else {"default": default}
        parser.add_argument(f"--{option.replace('_', '-')}", **how)
    arguments = parser.parse_args()
    if arguments.json:
        rows = list(measure(arguments))
        result = {"benchmark": name, "machine": machine(), "rows": [asdict(row) for row in rows]}
        print(json.dumps(result))
        return
    print(machine(), flush=True)
    for row in measure(arguments):
        goal = "" if row.goal is None else f" (goal {row.goal:g})"
        agree = "" if row.agree is None else f", agree: {'yes' if row.agree else 'NO'}"
        print(
            f"{row.name}: ours {row.ours:.5g}, {row.peer} {row.theirs:.5g}, "
            f"ratio {row.ratio:.3f}{goal}{agree}",
            flush=True,
        )
