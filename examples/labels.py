"""Fine-tune on labelled texts: those with the same label should lie near each other.

python examples/labels.py train.csv test.csv --model minilm      (columns: text,label)
python examples/labels.py --quick
"""

import argparse
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import nearer
from nearer import EarlyStopping, EvaluationCallback


def main(arguments: Sequence[str] | None = None) -> nearer.Run:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="train, test")
    parser.add_argument("--model", default="minilm", help="catalog name, hub id or folder")
    parser.add_argument("--loss", default="auto", help="SupConLoss, TripletMarginLoss, …")
    parser.add_argument("--quick", action="store_true", help="small generated data")
    options = parser.parse_args(arguments)
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            rows = toy_rows()
            return report(options.model, options.loss, rows[::2], rows[1::2], 2, f"{folder}/runs")
    if len(options.files) != 2:
        parser.error("give two files, train and test, or --quick")
    train, test = map(Path, options.files)
    return report(options.model, options.loss, train, test, epochs=5)


def report(
    model: str, loss: str, train: object, test: object, epochs: int, runs_dir: str | None = None
) -> nearer.Run:
    """Fine-tune; the test set searches itself, each query without its own row."""
    run = nearer.fit(
        model=model,
        train_data=train,
        loss=loss,
        batch_size=16,
        epochs=epochs,
        runs_dir=runs_dir,
        callbacks=[EvaluationCallback(query_data=test, limit=5), EarlyStopping("ndcg_at_k")],
    )
    before, after = run.metrics()["before"], run.metrics()["after"]
    for name in before:
        print(f"{name}: {before[name]:.5f} before, {after[name]:.5f} after")
    return run


def toy_rows() -> list[dict[str, str]]:
    """Rows of three classes."""
    asked = {
        "colour": ["is it {} or {}", "which of {} and {}", "do you have {} not {}"],
        "weather": ["what to wear in {} and {}", "is it for {} or {}", "good for {} with {}"],
        "price": ["how cheap is {} with {}", "what is the best for {} and {}", "cheap {} or {}"],
    }
    words = ["red", "green", "blue", "rain", "snow", "summer"]
    return [
        {"text": form.format(a, b), "label": label}
        for label, forms in asked.items()
        for form in forms
        for a, b in pairwise(words)
    ]


if __name__ == "__main__":
    main()
