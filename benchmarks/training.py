"""A step of training: our loop against sentence-transformers' Trainer, and against sgemm.

    python benchmarks/training.py [--quick] [--json] [--only NAME[,NAME]] [--steps N]
        [--quality [--precision fp32|bf16]]

Names: medquad, banking77, docstrings (seconds of a step of 64 pairs, float32 and, where the
processor has it, bf16), growth (batch 4,096 against 64: memory and time), known (the mask of known
pairs against the step), compile (a step with torch.compile against one without; needs a C++
compiler), attention (what dropout inside of attention does to nDCG@20); default: all but the last
two. `--quality` adds an epoch of medquad on both sides and the
nDCG@20 of its test queries, which is a matter of half an hour.
"""

import argparse
import logging
import statistics
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from common import DATA, Row, main
from training_sides import Pair, Trained, batches_of, in_child, ours, theirs

PEER = "sentence-transformers' Trainer"
GOALS = {("medquad", "fp32"): 3.0, ("medquad", "bf16"): 5.0}
WARM = 2
"""First steps that are not counted."""
COMPILED_WARM = 4
"""The same where shapes that are new are still compiled."""


def steps(task: str, quick: bool, count: int) -> Iterator[Row]:
    """Seconds of a step, both in turn; the loss of the first steps, dropout off; share of gemm."""
    rounds, count = (1, count or 5) if quick else (3, count or 12)
    batches = batches_of(task, WARM + count)
    for precision in precisions():
        agree = first_losses_agree(batches[:3], precision)
        times: list[tuple[float, float]] = []
        for _ in range(rounds):
            mine = ours(batches, precision).seconds[WARM:]
            other = theirs(batches, precision).seconds[WARM:]
            times.append((statistics.median(mine), statistics.median(other)))
        one, other = (statistics.median(side) for side in zip(*times, strict=True))
        ratio = statistics.median(b / a for a, b in times)
        name = f"{task}, 64 pairs, {precision}"
        goal = None if quick else GOALS.get((task, precision))
        yield Row(f"{name}: seconds a step", PEER, one, other, ratio, goal, agree)
        work, rate = arithmetic(batches[WARM:]) / count, gemm(precision)
        share = work / one / rate
        goal = 0.7 if (task, precision) == ("medquad", "fp32") and not quick else None
        label = f"{name}: GFLOP/s of the real tokens"
        yield Row(label, "gemm alone", work / one / 1e9, rate / 1e9, share, goal, None)
        alone = products(batches[WARM:], precision) / count
        label = f"{name}: seconds that its products with weights take by themselves"
        yield Row(label, PEER, alone, other, other / alone, None, None)


def precisions() -> list[str]:
    import torch

    from nearer.run.device import resolve_precision

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    native = resolve_precision("auto", device) == "bf16"
    return ["fp32", "bf16"] if native else ["fp32"]


def first_losses_agree(batches: list[list[Pair]], precision: str) -> bool:
    """Within 2 % over the first steps, with dropout off on both sides."""
    mine = ours(batches, precision, dropout=False).losses
    other = theirs(batches, precision, dropout=False).losses
    return all(abs(a - b) <= 0.02 * abs(b) for a, b in zip(mine, other, strict=True))


def arithmetic(batches: list[list[Pair]]) -> float:
    """Operations that the tokens need, without padding: three times those of a forward pass."""
    from nearer.encoder.loading import load_encoder

    encoder = load_encoder("minilm")
    inner = encoder.module[0].auto_model
    matrices = sum(p.numel() for n, p in inner.named_parameters() if ".layer." in n and p.ndim == 2)
    layers, width = inner.config.num_hidden_layers, inner.config.hidden_size
    total = 0.0
    for batch in batches:
        for side, texts in zip(("query", "document"), zip(*batch, strict=True), strict=True):
            lengths = encoder.prepare(list(texts), side).lengths.astype(float)
            total += 2 * matrices * lengths.sum() + 4 * layers * width * (lengths**2).sum()
    return 3 * total


def products(batches: list[list[Pair]], precision: str) -> float:
    """Seconds of the products of tokens with weights, there and back, and of nothing else.

    Of the real tokens, at the sizes that a step has; the best of a few turns. No step that makes
    all of these products takes less.
    """
    import torch

    from nearer.encoder.embedding import TRAIN_BUDGET
    from nearer.encoder.loading import load_encoder

    encoder = load_encoder("minilm")
    inner = encoder.module[0].auto_model
    named = inner.named_parameters()
    shapes = [tuple(p.shape) for n, p in named if ".layer." in n and p.ndim == 2]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    total = 0.0
    for batch in batches:
        for side, texts in zip(("query", "document"), zip(*batch, strict=True), strict=True):
            tokens = int(encoder.prepare(list(texts), side).lengths.sum())
            packs = -(-tokens // TRAIN_BUDGET)
            for out, into in set(shapes):
                given = torch.randn(tokens // packs, into, dtype=dtype, device=device)
                weight = torch.randn(out, into, dtype=dtype, device=device)
                gradient = torch.randn(tokens // packs, out, dtype=dtype, device=device)
                times = []
                for _ in range(4):
                    began = time.perf_counter()
                    made = given @ weight.T, gradient @ weight, gradient.T @ given
                    float(made[-1][0, 0])
                    times.append(time.perf_counter() - began)
                total += min(times) * packs * shapes.count((out, into))
    return total


def gemm(precision: str) -> float:
    """Operations a second of a large matrix product, the best of a few."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(4096, 2048, dtype=dtype, device=device) for _ in range(2))
    best = 0.0
    for _ in range(8):
        began = time.perf_counter()
        product = a @ b.T
        product[0, 0].item()
        best = max(best, 2 * 4096 * 4096 * 2048 / (time.perf_counter() - began))
    return best


def growth(quick: bool, count: int) -> list[Row]:
    """A batch of 4,096 pairs against 64, each in a process of its own."""
    task, large = ("banking77", 1024) if quick else ("medquad", 4096)
    small = in_child("memory", task, 64, count or 6)
    big = in_child("memory", task, large, 1)
    name = f"{task}, batch {large:,}"
    return [
        Row(
            f"{name}: extra MB",
            "batch 64",
            big["megabytes"],
            small["megabytes"],
            small["megabytes"] / big["megabytes"],
            None,
            None,
        ),
        Row(
            f"{name}: milliseconds a pair",
            "batch 64",
            big["seconds"] * 1e3,
            small["seconds"] * 1e3,
            small["seconds"] / big["seconds"],
            None,
            None,
        ),
    ]


def known(quick: bool, count: int) -> list[Row]:
    """What it costs to find the pairs that are known, against the step; the goal is 1 %."""
    import numpy as np

    from nearer.data.columns import read_examples
    from nearer.loop.step import known_relevant
    from nearer.losses.known import known_block

    per_pair = in_child("memory", "medquad", 64, 3)["seconds"]
    out = []
    for size in (64, 4096):
        (pairs,) = batches_of("medquad", 1, size)
        examples = read_examples([{"query": q, "document": d} for q, d in pairs])
        columns = examples.batch(np.arange(size)).columns
        times = []
        for _ in range(9):
            began = time.perf_counter()
            found = known_relevant(columns)
            for start in range(0, size, 1024):
                known_block(found, start, min(start + 1024, size), size, "cpu")
            times.append(time.perf_counter() - began)
        took = statistics.median(times)
        share = took / (per_pair * size)
        name = f"known pairs of a batch of {size:,} ({took * 1e3:.2f} ms)"
        out.append(Row(name, "1 % of a step", share, 0.01, 0.01 / share, 1.0, None))
    return out


def compiled(quick: bool, count: int) -> Iterator[Row]:
    """Seconds of a step of medquad and banking77, compiled and not, in turn."""
    for task in ("banking77",) if quick else ("medquad", "banking77"):
        batches = batches_of(task, COMPILED_WARM + (count or 6))
        for precision in precisions():
            one = ours(batches, precision, compiled=True)
            other = ours(batches, precision)
            a, b = (statistics.median(side.seconds[COMPILED_WARM:]) for side in (one, other))
            name = f"{task}, 64 pairs, {precision}, compiled"
            agree = abs(one.losses[0] - other.losses[0]) <= 0.1 * other.losses[0]  # other dropout
            yield Row(f"{name}: seconds a step", "not compiled", a, b, b / a, None, agree)
            spent = sum(one.seconds[:COMPILED_WARM]) - COMPILED_WARM * a
            yield Row(f"{name}: seconds to compile", "a step", spent, b, b / spent, None, None)


def quality(precision: str) -> Iterator[Row]:
    """One epoch of medquad in batches of 64 on both sides; nDCG@20 of the test queries."""
    batches = whole_medquad()
    for chosen in [precision] if precision else precisions():
        one, other = ours(batches, chosen), theirs(batches, chosen)
        name = f"medquad, one epoch, {chosen}"
        a, b = test_ndcg(one), test_ndcg(other)
        yield Row(f"{name}: test nDCG@20", PEER, a, b, a / b, 0.99, None)
        took = [sum(side.seconds) for side in (one, other)]
        yield Row(f"{name}: seconds", PEER, *took, took[1] / took[0], None, None)


def attention(quick: bool, count: int) -> Iterator[Row]:
    """The same of ours, without dropout inside of attention, as it is by default, and with it."""
    batches = whole_medquad()[: 8 if quick else None]
    chosen = precisions()[-1]
    one, other = (ours(batches, chosen, attention_dropout=some) for some in (False, True))
    name = f"medquad, one epoch, {chosen}, no attention dropout"
    a, b = test_ndcg(one), test_ndcg(other)
    yield Row(f"{name}: test nDCG@20", "with it", a, b, a / b, None, None)
    took = [sum(side.seconds) for side in (one, other)]
    yield Row(f"{name}: seconds", "with it", *took, took[1] / took[0], None, None)


def whole_medquad() -> list[list[Pair]]:
    """All training pairs in batches of 64, in an order drawn once."""
    import csv

    import numpy as np

    with (DATA / "medquad" / "train.csv").open(newline="", encoding="utf-8") as file:
        pairs = [(row["query"], row["document"]) for row in csv.DictReader(file)]
    order = np.random.default_rng(0).permutation(len(pairs)).tolist()
    return [[pairs[i] for i in order[low : low + 64]] for low in range(0, len(order), 64)]


def test_ndcg(trained: Trained) -> float:
    """nDCG@20 of medquad's test queries."""
    import tempfile

    import nearer

    data = [str(DATA / "medquad" / f) for f in ("queries.test.jsonl", "corpus.jsonl")]
    with tempfile.TemporaryDirectory() as folder:
        if hasattr(trained.model, "save_pretrained"):
            trained.model.save_pretrained(folder, create_model_card=False)
        else:
            trained.model.save(Path(folder))
        qrels = str(DATA / "medquad" / "qrels.test.tsv")
        return float(nearer.evaluate(folder, *data, qrels, name="test").metrics["test_ndcg_at_k"])


MEASURES = {
    **{task: task for task in ("medquad", "banking77", "docstrings")},
    "growth": growth,
    "known": known,
    "compile": compiled,
    "attention": attention,
}


def measure(arguments: argparse.Namespace) -> Iterator[Row]:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    chosen = [n for n in arguments.only.split(",") if n]
    unknown = sorted(set(chosen) - set(MEASURES))
    if unknown:
        raise SystemExit(f"--only: no {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    if not chosen and not arguments.quality:
        chosen = [name for name in MEASURES if name not in ("compile", "attention")]
    for name in chosen:
        what = MEASURES[name]
        if isinstance(what, str):
            yield from steps(what, arguments.quick, int(arguments.steps))
        else:
            yield from what(arguments.quick, int(arguments.steps))
    if arguments.quality:
        yield from quality(arguments.precision)


if __name__ == "__main__":
    main("training", measure, only="", steps=0, quality=False, precision="")
