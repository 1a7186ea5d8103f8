"""Ten epochs over a frozen backbone, an evaluation after each, against sentence-transformers.

    python benchmarks/frozen.py [--quick] [--json] [--only head|layers] [--stride N]
        [--precision fp32|bf16|auto]

MiniLM on medquad. `head`: a new projection of 256 dimensions learns, all that came is frozen; the
peer is the Trainer with the same modules, the same head, the same batches and its own
InformationRetrievalEvaluator after each epoch. `layers`: five of six layers are frozen; the peer is
our own run with `frozen_cache=0`. `--stride 10` takes every tenth row of everything. Sides run in
turn, in one process; each of ours begins with an empty cache, loads its model, and evaluates before
training too, which the Trainer does not.
"""

import argparse
import csv
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import DATA, Row, main

EPOCHS = 10
BATCH = 64
RATE = 1e-3
WIDTH = 256
LIMIT = 20
SEED = 42


@dataclass(frozen=True)
class Task:
    """Files of a part of medquad, and what is in them."""

    folder: Path
    train: list[dict[str, str]]
    queries: dict[str, str]
    corpus: dict[str, str]
    relevant: dict[str, set[str]]

    @property
    def what(self) -> str:
        """Sizes, for the name of a row."""
        sizes = f"{len(self.train):,} pairs, {len(self.corpus):,} passages"
        return f"{sizes}, {len(self.queries):,} queries"


def part(stride: int, folder: Path) -> Task:
    """Every `stride`-th row of medquad, with as large a share of its passages learned from.

    Three quarters of the passages stand in the training rows too, so a part has the passages of
    its own rows, those that its queries ask for, and every `stride`-th of the others.
    """
    data = DATA / "medquad"
    with (data / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    train = rows[::stride]
    learned, all_learned = ({r["document"] for r in some} for some in (train, rows))
    texts = {name: _texts(data / f"{name}.jsonl") for name in ("queries.dev", "corpus")}
    queries = dict(list(texts["queries.dev"].items())[::stride])
    lines = (data / "qrels.dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    judged = [line.split("\t") for line in lines]
    judged = [line for line in judged if line[0] in queries]
    relevant: dict[str, set[str]] = {}
    for query, document, _ in judged:
        relevant.setdefault(query, set()).add(document)
    others = [name for name, text in texts["corpus"].items() if text not in all_learned]
    own = [name for name, text in texts["corpus"].items() if text in learned]
    wanted = {*own, *others[::stride], *(document for _, document, _ in judged)}
    corpus = {name: text for name, text in texts["corpus"].items() if name in wanted}
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["query", "document"])
        writer.writeheader()
        writer.writerows({name: row[name] for name in ("query", "document")} for row in train)
    for name, rows in (("queries", queries), ("corpus", corpus)):
        lines = [json.dumps({"id": key, "text": text}) for key, text in rows.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    header = "query-id\tcorpus-id\tscore"
    table = [header, *("\t".join(line) for line in judged)]
    (folder / "qrels.tsv").write_text("\n".join(table) + "\n", encoding="utf-8")
    return Task(folder, train, queries, corpus, relevant)


def _texts(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line]
    found = {}
    for row in rows:
        name = row["id"] if "id" in row else row["_id"]
        found[str(name)] = " ".join(t for t in (row.get("title"), row["text"]) if t)
    return found


def ours(task: Task, epochs: int, precision: str, **options: Any) -> tuple[float, Any]:
    """Seconds of a whole run, and the run."""
    import nearer
    import nearer.run.execute  # what it imports is not timed, on either side

    with tempfile.TemporaryDirectory() as cache:
        os.environ["NEARER_CACHE"] = cache
        began = time.perf_counter()
        run = nearer.fit(
            model="minilm",
            train_data=str(task.folder / "train.csv"),
            query_data=str(task.folder / "queries.jsonl"),
            index_data=str(task.folder / "corpus.jsonl"),
            qrels=str(task.folder / "qrels.tsv"),
            limit=LIMIT,
            epochs=epochs,
            batch_size=BATCH,
            precision=precision,
            weight_decay=0.0,
            keep="last",
            seed=SEED,
            runs_dir=str(task.folder / "runs"),
            **options,
        )
        return time.perf_counter() - began, run


def theirs(task: Task, epochs: int, precision: str) -> tuple[float, Any, list[float]]:
    """Seconds of `train()`, the model, and the mean loss of each epoch."""
    from accelerate.utils import set_seed
    from datasets import Dataset, disable_progress_bars
    from sentence_transformers import SentenceTransformerTrainer
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from torch import nn
    from torch.utils.data import SequentialSampler
    from transformers import PrinterCallback

    from nearer.data.batches import RandomBatches
    from nearer.data.columns import read_examples
    from nearer.encoder.loading import EncoderOptions, load_encoder

    disable_progress_bars()
    set_seed(SEED)  # the head is then that of our run
    encoder = load_encoder("minilm", EncoderOptions(output_dim=WIDTH, freeze="backbone"))
    model = encoder.module
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # ours has none in what is frozen; costs the peer nothing
    batches = RandomBatches(read_examples(str(task.folder / "train.csv")), BATCH, SEED)
    orders = [[b.rows.tolist() for b in batches.epoch(e + 1)] for e in range(epochs)]
    epoch = iter(orders)

    class SameOrder(DefaultBatchSampler):
        def __init__(self, dataset: Any, **options: Any) -> None:
            super().__init__(SequentialSampler(dataset), **options)

        def __iter__(self) -> Iterator[list[int]]:
            return iter(next(epoch))

        def __len__(self) -> int:
            return len(orders[0])

    rows = Dataset.from_dict(
        {
            "anchor": [row["query"] for row in task.train],
            "positive": [row["document"] for row in task.train],
        }
    )
    evaluator = InformationRetrievalEvaluator(
        task.queries,
        task.corpus,
        task.relevant,
        ndcg_at_k=[LIMIT],
        accuracy_at_k=[LIMIT],
        precision_recall_at_k=[LIMIT],
        mrr_at_k=[LIMIT],
        map_at_k=[LIMIT],
        show_progress_bar=False,
        write_csv=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = Arguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            warmup_steps=round(0.1 * epochs * len(orders[0])),
            weight_decay=0.0,
            max_grad_norm=1.0,
            bf16=precision == "bf16",
            use_cpu=True,
            batch_sampler=SameOrder,
            eval_strategy="epoch",
            save_strategy="no",
            logging_strategy="epoch",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset=rows,
            loss=MultipleNegativesRankingLoss(model, scale=20.0),
            evaluator=evaluator,
        )
        trainer.remove_callback(PrinterCallback)
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    losses = [float(line["loss"]) for line in trainer.state.log_history if "loss" in line]
    return seconds, model, losses


def head(task: Task, epochs: int, precision: str, goal: float | None) -> Row:
    """A head alone, against the Trainer."""
    seconds, run = ours(task, epochs, precision, freeze="backbone", output_dim=WIDTH)
    other, model, losses = theirs(task, epochs, precision)
    last = run.history[-1]["metrics"]["train_loss"]
    off = abs(last - losses[-1]) / losses[-1]
    agree = off < 0.01 and _alike(run.model(), model, task) > 0.999
    name = f"head only, {epochs} epochs with evaluation, {precision}, {task.what}: seconds"
    return Row(name, "Trainer", seconds, other, other / seconds, goal, agree)


def layers(task: Task, epochs: int, precision: str) -> Row:
    """The last layer alone, with what is frozen kept and without."""
    kept, run = ours(task, epochs, precision, freeze=5)
    anew, other = ours(task, epochs, precision, freeze=5, frozen_cache=0)
    agree = _alike(run.model(), other.model(), task) > (0.99999 if precision == "fp32" else 0.999)
    name = f"five of six layers frozen, {epochs} epochs with evaluation, {precision}, {task.what}"
    return Row(f"{name}: seconds", "frozen_cache=0", kept, anew, anew / kept, None, agree)


def _alike(one: Any, other: Any, task: Task) -> float:
    """Smallest cosine of the two embeddings of a text."""
    import numpy as np

    texts = list(task.queries.values())[:100]
    a, b = (m.encode(texts, normalize_embeddings=True) for m in (one, other))
    return float(np.einsum("nd,nd->n", a, b).min())


def measure(arguments: argparse.Namespace) -> list[Row]:
    if arguments.only not in ("", "head", "layers"):
        raise SystemExit(f"--only: no {arguments.only}; there are head, layers")
    quick, precision = arguments.quick, arguments.precision
    stride, epochs = 80 if quick else int(arguments.stride), EPOCHS
    with tempfile.TemporaryDirectory() as folder:
        task = part(stride, Path(folder))
        rows = []
        if arguments.only in ("", "head"):
            rows.append(head(task, epochs, precision, None if quick else 15.0))
        if arguments.only in ("", "layers"):
            rows.append(layers(task, epochs, precision))
        return rows


if __name__ == "__main__":
    main("frozen", measure, only="", stride=1, precision="fp32")
