"""What fine-tuning gains on real text: medquad (question to passage) and banking77 (by labels).

    python benchmarks/quality.py [--quick] [--json] [--only medquad|banking77] [--runs-dir DIR]
        [--epochs N] [--stride N]

`--stride 10` learns banking77 from every tenth row, `--epochs` sets its epochs. The figures of
sentence-transformers' Trainer on medquad (one epoch, batch 64, rate 5e-5) were measured once on
another machine and are quoted, not run again.
"""

import argparse
import csv
import tempfile
from pathlib import Path

from common import DATA, Row, main

TRAINER = {"ndcg_at_k": 0.809, "hit_at_k": 0.865}


def medquad(runs: str, epochs: int) -> list[Row]:
    """Two epochs; the epoch is chosen on the dev queries and scored on the test queries."""
    import nearer

    data = DATA / "medquad"

    def evaluation(split: str) -> nearer.EvaluationCallback:
        return nearer.EvaluationCallback(
            str(data / f"queries.{split}.jsonl"),
            str(data / "corpus.jsonl"),
            str(data / f"qrels.{split}.tsv"),
            name=split,
        )

    run = nearer.fit(
        model="minilm",
        train_data=str(data / "train.csv"),
        epochs=epochs,
        callbacks=[
            evaluation("dev"),
            evaluation("test"),
            nearer.EarlyStopping("dev_ndcg_at_k", patience=1),
        ],
        experiment="quality-medquad",
        runs_dir=runs,
    )
    metrics, same = run.metrics(), _same_embeddings(run)
    rows = []
    for metric, trainer in TRAINER.items():
        before, after = (metrics[when][f"test_{metric}"] for when in ("before", "after"))
        at = metric.replace("_at_k", "@20")
        name = f"medquad test {at}, {epochs} epochs"
        rows.append(Row(name, "untuned", after, before, after / before, 1.0, same))
        peer = "Trainer, one epoch (quoted)"
        rows.append(Row(name, peer, after, trainer, after / trainer, 1.0, same))
    return rows


def banking77(runs: str, epochs: int, folder: Path, stride: int) -> list[Row]:
    """By labels: utterances are queries, the 77 intent names are the index.

    The run goes through all its epochs. Where EarlyStopping would have ended it follows from its
    history by the same rule, since the same seed gives the same weights at every epoch.
    """
    import nearer
    from nearer.callbacks.monitor import Rule, decide

    data = DATA / "banking77"
    # Held out of train.csv to choose the epoch by; the test is looked at once, at the end.
    with (data / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    learned = [r for i, r in enumerate(rows) if i % 10]
    parts = {"train": learned[::stride], "dev": rows[::10]}
    for name, part in parts.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["text", "label"])
            writer.writeheader()
            writer.writerows(part)
    names = str(data / "names.csv")
    run = nearer.fit(
        model="minilm",
        train_data=str(folder / "train.csv"),
        query_data=str(folder / "dev.csv"),
        index_data=names,
        limit=10,
        cutoffs=[1],
        epochs=epochs,
        experiment="quality-banking77",
        runs_dir=runs,
    )
    test = str(data / "test.csv")
    before, after = (
        nearer.evaluate(m, test, names, limit=10, cutoffs=[1]).metrics
        for m in ("minilm", str(run.artifact))
    )
    same = _same_embeddings(run)
    out = []
    for metric, at in (("ndcg_at_k", "nDCG@10"), ("hit@1", "hit@1")):
        a, b = after[f"minilm_{metric}"], before[f"minilm_{metric}"]
        out.append(Row(f"banking77 test {at}, {epochs} epochs", "untuned", a, b, a / b, 1.0, same))
    scores = [point["metrics"]["minilm_ndcg_at_k"] for point in run.history]
    stop, best = decide(scores, Rule("max", patience=1, min_delta=0.005))
    if stop is not None and best is not None:
        seconds = [point["seconds"] for point in run.history]
        name = f"banking77 seconds, stopped after epoch {stop} of {epochs}"
        peer, ratio = "all epochs", seconds[-1] / seconds[stop]
        out.append(Row(name, peer, seconds[stop], seconds[-1], ratio, None, None))
        name = f"banking77 dev nDCG@10, stopped after epoch {stop} of {epochs}"
        ratio = scores[best] / max(scores)
        out.append(Row(name, peer, scores[best], max(scores), ratio, None, None))
    return out


def _same_embeddings(run: object) -> bool:
    """Whether the artifact gives the same bits in sentence-transformers alone."""
    import numpy as np
    from sentence_transformers import SentenceTransformer

    texts = ["What causes glaucoma?", "I lost my card", "a " * 400, ""]
    ours = run.model().encode(texts)  # type: ignore[attr-defined]
    alone = SentenceTransformer(str(run.artifact)).encode(texts)  # type: ignore[attr-defined]
    return bool(np.abs(ours - alone).max() == 0)


def measure(arguments: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        runs = arguments.runs_dir or str(Path(folder) / "runs")
        rows = []
        if arguments.only in ("", "banking77"):
            rows += banking77(
                runs,
                int(arguments.epochs or (1 if arguments.quick else 4)),
                Path(folder),
                int(arguments.stride),
            )
        if arguments.only in ("", "medquad") and not arguments.quick:
            rows += medquad(runs, 2)
        return rows


if __name__ == "__main__":
    main("quality", measure, only="", runs_dir="", epochs="", stride="1")
