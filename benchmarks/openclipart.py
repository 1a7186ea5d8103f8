"""What fine-tuning gains on clip art: titles that were never seen, to pictures, and back.

    python benchmarks/openclipart.py [--quick] [--json] [--only heads|side] [--runs-dir DIR]
        [--epochs N] [--heads ARTIFACT]

MiniLM and EfficientNet-Lite0 as two towers into one space, trained on `train.csv` (2,254 titles and
pictures); 449 titles of others ask among 536 pictures, k = 10. `heads`: both backbones frozen.
`tuned`: from the artifact of `heads`, the last ten blocks of the pictures' tower learn too, on
views of the pictures (Kumar et al. 2022, https://arxiv.org/abs/2202.10054: heads first). Settings
come from trials on a fifth of the training titles, held out; the last epoch is scored. `side`: the
tower of the pictures is frozen, the one of the titles learns; seconds of an evaluation of all
pictures, the first one against those that follow.
"""

import argparse
import csv
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from common import DATA, Row, main

CLIPART = DATA / "openclipart"
GOAL = 0.35
TRIAL = 0.284
"""nDCG@10 of title to picture that a trial reached, measured once on another machine, quoted."""

SHARED: dict[str, Any] = {
    "loss": "InfoNCE",
    "loss_options": {"symmetric": True, "temperature": 0.1},
}
MODES: dict[str, tuple[dict[str, Any], int]] = {
    "heads": (
        {
            "query_model": "minilm",
            "index_model": "efficientnet-lite0",
            "output_dim": 256,
            "framing": "pad",
            "freeze": "backbone",
            "batch_size": 256,
            "learning_rate": 1e-3,
        },
        60,
    ),
    "tuned": (
        {
            "freeze": 6,
            "learning_rate": 3e-4,
            "augment": {"crop": 0.6, "flip": 0.5, "colour": 0.1},
        },
        5,
    ),
}
"""Options of `nearer.fit` and epochs of each row."""


def pairs(every: int = 1) -> list[dict[str, str]]:
    """Titles and pictures to learn from, pictures as absolute paths."""
    with (CLIPART / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::every]
    return [{"text": row["text"], "image": str(CLIPART / row["image"])} for row in rows]


def learn(
    mode: str, runs: str, epochs: int | None, every: int = 1, model: str | None = None
) -> tuple[str, list[Row]]:
    """Fine-tune and score both directions before and after; the artifact and the rows."""
    import nearer

    options, usual = MODES[mode]
    options = {**options, "model": model} if model else options
    epochs = epochs or usual
    evaluation = nearer.EvaluationCallback(
        str(CLIPART / "queries.test.jsonl"),
        str(CLIPART / "corpus.test.jsonl"),
        str(CLIPART / "qrels.test.tsv"),
        name="title",
        limit=10,
        both_directions=True,
        every=epochs,
    )
    run = nearer.fit(
        train_data=pairs(every),
        epochs=epochs,
        callbacks=[evaluation],
        keep="last",
        experiment=f"openclipart-{mode}",
        runs_dir=runs,
        **SHARED,
        **options,
    )
    before, after = run.history[0]["metrics"], run.metrics()["after"]
    rows = []
    for key in sorted(after):
        if key.endswith(("ndcg_at_k", "hit_at_k", "reciprocal_rank", "average_precision")):
            a, b = after[key], before[key]
            name = f"{mode}, {epochs} epochs, {key}"
            rows.append(Row(name, "before", a, b, a / max(b, 1e-9), None, None))
    if every == 1:
        found = after["title_ndcg_at_k"]
        rows.append(Row(f"{mode}: nDCG@10", "goal", found, GOAL, found / GOAL, 1.0, None))
        rows.append(Row(f"{mode}: nDCG@10", "trial (quoted)", found, TRIAL, found / TRIAL, 1, None))
    return str(run.artifact), rows


def frozen_side(folder: str) -> list[Row]:
    """Seconds to evaluate pictures whose tower is frozen, the first time and after each epoch."""
    import nearer

    os.environ["NEARER_CACHE"] = str(Path(folder) / "cache")  # begins empty
    lines = (CLIPART / "queries.test.jsonl").read_text(encoding="utf-8").splitlines()[:8]
    evaluation = nearer.EvaluationCallback(
        [json.loads(line) for line in lines],
        str(CLIPART / "corpus.test.jsonl"),
        str(CLIPART / "qrels.test.tsv"),
        name="title",
        limit=10,
    )
    seconds: list[float] = []

    def note(ctx: Any) -> None:
        if evaluation.result is not None:
            seconds.append(evaluation.result.seconds)

    nearer.fit(
        query_model="minilm",
        index_model="efficientnet-lite0",
        output_dim=256,
        freeze="index",
        train_data=pairs(8),
        epochs=5,
        batch_size=64,
        keep="last",
        callbacks=[evaluation, nearer.LambdaCallback(on_metrics=note)],
        runs_dir=str(Path(folder) / "runs"),
        **SHARED,
    )
    first, *others = seconds
    later = statistics.median(others)
    name = f"evaluation of 8 titles and {count_pictures()} pictures, their tower frozen: seconds"
    return [
        Row(
            f"{name}, each time after the first", "the first", later, first, first / later, 20, None
        )
    ]


def count_pictures() -> int:
    """How many pictures are searched."""
    return len((CLIPART / "corpus.test.jsonl").read_text(encoding="utf-8").splitlines())


def measure(arguments: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        runs = arguments.runs_dir or str(Path(folder) / "runs")
        if arguments.only == "side":
            return frozen_side(folder)
        epochs = int(arguments.epochs) if arguments.epochs else None
        if arguments.quick:
            return learn("heads", runs, epochs or 4, every=8)[1]
        if arguments.only == "heads":
            return learn("heads", runs, epochs)[1]
        artifact, rows = arguments.heads, []
        if not artifact:
            artifact, rows = learn("heads", runs, None)
        return [*rows, *learn("tuned", runs, epochs, model=artifact)[1]]


if __name__ == "__main__":
    main("openclipart", measure, only="", runs_dir="", epochs="", heads="")
