"""Encoding by an exported graph against torch: texts a second, and the metric that is lost.

    python benchmarks/export.py [--quick] [--json] [--stride N] [--texts N] [--rounds N]
        [--max-length N]

MiniLM on a part of medquad (`--stride 20`: every twentieth query, the passages that they ask for,
and others), texts cut at 64 tokens, two threads. `ours` is onnxruntime, float32 and int8; the peer
is torch in float32; all of them by `nearer`'s own `encode`, which groups by length. Sides take
turns, and the ratio is the median of those of the rounds. `agree`: every cosine to torch's
embeddings is above 0.9999, for int8 nDCG@20 is within 0.01. The last row has nDCG@20 itself.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from common import Row, main
from frozen import part

THREADS = 2
LIMIT = 20
METRIC = "minilm_ndcg_at_k"


def measure(arguments: argparse.Namespace) -> list[Row]:
    """Export, encode in turn, evaluate."""
    import torch

    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as name:
        return _measure(arguments, Path(name))


def _measure(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    import nearer
    from nearer.artifact.manifest import Manifest
    from nearer.artifact.store import kind_of, save_artifact
    from nearer.encoder.embedding import encode
    from nearer.encoder.loading import EncoderOptions, load_encoder

    stride = 40 if arguments.quick else int(arguments.stride)
    rounds = 3 if arguments.quick else int(arguments.rounds)
    task = part(stride, folder)
    data = {
        "query_data": str(folder / "queries.jsonl"),
        "index_data": str(folder / "corpus.jsonl"),
        "qrels": str(folder / "qrels.tsv"),
        "limit": LIMIT,
    }
    options = EncoderOptions(max_length=int(arguments.max_length))
    encoder = load_encoder("minilm", options)
    save_artifact(
        encoder,
        folder / "artifact",
        Manifest(kind_of(encoder), encoder.name, "minilm", encoder.dimension, spec=data),
    )
    graphs = {form: nearer.export(folder / "artifact", form) for form in ("onnx", "onnx-int8")}
    texts = list(task.corpus.values())[: int(arguments.texts)]
    sides: dict[str, Any] = {"torch": nearer.load(folder / "artifact")}
    sides |= {form: nearer.load(graph.folder) for form, graph in graphs.items()}
    for side in sides.values():
        encode(side, texts[:8], "document")
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.perf_counter()
            encode(side, texts, "document")
            seconds[name].append(time.perf_counter() - began)
    scores = graphs["onnx-int8"].metrics
    size = {f: g.bytes / 1e6 for f, g in graphs.items()}
    rows = []
    for form, graph in graphs.items():
        near = graph.parity["least"]
        lost = scores["artifact"][METRIC] - scores["export"][METRIC]
        rows.append(
            Row(
                f"{form}, texts a second, {len(texts)} passages ({size[form]:.1f} MB; cosines: "
                f"least {near:.5f}, mean {graph.parity['mean']:.5f} of {graph.parity['rows']})",
                "torch float32",
                len(texts) / median(seconds[form]),
                len(texts) / median(seconds["torch"]),
                median(t / o for t, o in zip(seconds["torch"], seconds[form], strict=True)),
                None,
                near > 0.9999 if form == "onnx" else abs(lost) < 0.01,
            )
        )
    ours, theirs = scores["export"][METRIC], scores["artifact"][METRIC]
    what = f"onnx-int8, nDCG@{LIMIT}, {len(task.queries)} queries, {len(task.corpus)} passages"
    return [*rows, Row(what, "torch float32", ours, theirs, ours / theirs, None, None)]


if __name__ == "__main__":
    main("export", measure, stride="20", texts="64", rounds="5", max_length="64")
