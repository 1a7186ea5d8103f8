"""Fine-tune a text model on pairs of query and document; evaluate, stop early, keep the best.

python examples/text_pairs.py train.csv queries.csv corpus.csv qrels.tsv --model minilm
python examples/text_pairs.py --quick
"""

import argparse
import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nearer
from nearer import EarlyStopping, EvaluationCallback

FILES = ("train.csv", "queries.csv", "corpus.csv", "qrels.csv")


def main(arguments: Sequence[str] | None = None) -> nearer.Run:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="train, queries, corpus, qrels")
    parser.add_argument("--model", default="minilm", help="catalog name, hub id or folder")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small generated data")
    options = parser.parse_args(arguments)
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            files = write_toy_data(Path(folder))
            return report(options.model, files, epochs=2, runs_dir=f"{folder}/runs")
    if len(options.files) != len(FILES):
        parser.error("give four files, train, queries, corpus and qrels, or --quick")
    return report(options.model, options.files, options.epochs)


def report(
    model: str, files: Sequence[str], epochs: int, runs_dir: str | None = None
) -> nearer.Run:
    """Fine-tune and print what changed."""
    train, queries, corpus, qrels = files
    run = nearer.fit(
        model=model,
        train_data=train,
        epochs=epochs,
        runs_dir=runs_dir,
        callbacks=[
            EvaluationCallback(query_data=queries, index_data=corpus, qrels=qrels, limit=20),
            EarlyStopping(monitor="ndcg_at_k", patience=2, min_delta=0.001),
        ],
    )
    before, after = run.metrics()["before"], run.metrics()["after"]
    for name in before:
        print(f"{name}: {before[name]:.5f} before, {after[name]:.5f} after")
    print(f"stopped: {run.stop_reason.detail if run.stop_reason else '-'}")
    print(f"best epoch: {run.best_epoch}; artifact: {run.artifact}")
    return run


def write_toy_data(folder: Path) -> list[str]:
    """Write a small search task; half of the pairs is to learn from, the others are asked for."""
    kinds = ["shoes", "boots", "hat", "coat", "shirt", "scarf"]
    colours = ["red", "green", "blue", "black"]
    pairs = [(f"cheap {k} in {c}", f"the best {c} {k} for winter") for k in kinds for c in colours]
    rows = {
        "train.csv": [("query", "document"), *pairs[::2]],
        "queries.csv": [("id", "text"), *((f"q{i}", pairs[i][0]) for i in range(1, len(pairs), 2))],
        "corpus.csv": [("id", "text"), *((f"d{i}", d) for i, (_, d) in enumerate(pairs))],
        "qrels.csv": [
            ("query-id", "corpus-id", "score"),
            *((f"q{i}", f"d{i}", "1") for i in range(1, len(pairs), 2)),
        ],
    }
    for name in FILES:
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows[name])
    return [str(folder / name) for name in FILES]


if __name__ == "__main__":
    main()
