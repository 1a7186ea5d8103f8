"""The nine metrics on the rankings of a real run, against trec_eval's own code and ranx.

python benchmarks/definitions.py [--quick] [--json]
"""

import argparse
import json
import tempfile
from pathlib import Path

from common import Row, main

TREC = {
    "average_precision": "map_cut_20",
    "hit_at_k": "success_20",
    "ndcg_at_k": "ndcg_cut_20",
    "precision_at_k": "P_20",
    "r_precision": "Rprec",
    "recall_at_k": "recall_20",
    "reciprocal_rank": "recip_rank",
}


def measure(arguments: argparse.Namespace) -> list[Row]:
    import numpy as np
    import pytrec_eval
    from ranx.metrics.f1 import _f1
    from ranx.metrics.ndcg import _dcg

    import nearer
    from nearer.cli.docstrings import write_demo_data

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_demo_data(folder)
        queries, corpus = folder / "queries.jsonl", folder / "corpus.jsonl"
        if arguments.quick:
            for path, count in ((queries, 100), (corpus, 400)):
                lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
                path.write_text("".join(lines[:count]), encoding="utf-8")
        qrels = folder / "qrels.tsv"
        trec_run = folder / "run.trec"
        result = nearer.evaluate("minilm", str(queries), str(corpus), str(qrels), trec_run=trec_run)
        ids = [json.loads(line)["id"] for line in queries.open(encoding="utf-8")]
        known = {json.loads(line)["id"] for line in corpus.open(encoding="utf-8")}
        judged: dict[str, dict[str, int]] = {i: {} for i in ids}
        for line in qrels.read_text(encoding="utf-8").splitlines()[1:]:
            query, document, grade = line.split("\t")
            if query in judged and document in known:
                judged[query][document] = int(grade)
        ranked: dict[str, dict[str, float]] = {i: {} for i in ids}
        for line in trec_run.read_text(encoding="utf-8").splitlines():
            query, _, document, _, score, _ = line.split()
            ranked[query][document] = float(score)
    relevant = {q: d for q, d in judged.items() if d}
    scored = pytrec_eval.RelevanceEvaluator(relevant, set(TREC.values())).evaluate(ranked)
    theirs = {ours: sum(scored[q][trec] for q in scored) / len(ids) for ours, trec in TREC.items()}
    for ours, function in (("dcg_at_k", _dcg), ("f1_score_at_k", _f1)):
        total = 0.0
        for query in relevant:
            order = sorted(ranked[query], key=lambda d, q=query: -ranked[q][d])
            numbers = {document: i for i, document in enumerate({*order, *relevant[query]})}
            run = np.array([[numbers[d], ranked[query][d]] for d in order])
            qrel = np.array([[numbers[d], g] for d, g in relevant[query].items()], dtype=float)
            extra = (True,) if ours == "dcg_at_k" else ()  # linear gains, as trec_eval's
            total += float(function(qrel, run, 20, 1, *extra))
        theirs[ours] = total / len(ids)
    rows = []
    for metric, other in theirs.items():
        ours = result.metrics[f"minilm_{metric}"]
        peer = "trec_eval" if metric in TREC else "ranx"
        same = abs(ours - other) < 1e-6
        ratio = ours / other if other else 1.0
        rows.append(Row(f"{metric}, {len(ids)} queries", peer, ours, other, ratio, None, same))
    return rows


if __name__ == "__main__":
    main("definitions", measure)
