"""Real training of a real model on real rows: small, but nothing in it is made up."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

import nearer
from nearer.cli.docstrings import _of_module
from nearer.cli.main import run as command

pytestmark = pytest.mark.slow
DATA = Path(os.environ.get("NEARER_DATA", Path(__file__).parents[3] / "shared" / "data"))
SMALL = {"max_length": 32, "freeze": 4, "learning_rate": 1e-4, "batch_size": 32, "limit": 10}


@pytest.fixture(scope="module")
def docstrings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Pairs from numpy's docstrings: 128 to learn from, 64 others to search."""
    pairs = list(_of_module(np))[:192]
    folder = tmp_path_factory.mktemp("docstrings")
    train, dev = folder / "train.jsonl", folder / "dev.jsonl"
    for path, part in ((train, pairs[:128]), (dev, pairs[128:])):
        rows = [json.dumps({"query": p.query, "document": p.document}) for p in part]
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return {"train_data": str(train), "query_data": str(dev)}


@pytest.fixture(scope="module")
def run(docstrings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> nearer.Run:
    runs = tmp_path_factory.mktemp("runs")
    return nearer.fit(model="minilm", epochs=2, runs_dir=runs, name="real", **docstrings, **SMALL)


def test_it_ranks_unseen_questions_better(run: nearer.Run) -> None:
    before, after = run.metrics()["before"], run.metrics()["after"]
    assert after["minilm_ndcg_at_k"] > before["minilm_ndcg_at_k"]
    losses = [point["metrics"]["train_loss"] for point in run.history[1:]]
    assert losses[1] < losses[0]


def test_the_log_reads_like_the_document(run: nearer.Run) -> None:
    log = run.logs()
    for line in (
        "Done ✨",
        "Finetuning took 0 days, 0 hours ",
        "Metric: 'minilm_average_precision' before fine-tuning: ",
        " after fine-tuning: ",
        "Building the artifact ...",
    ):
        assert line in log


def test_sentence_transformers_alone_gives_the_same_bits(run: nearer.Run) -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["Return the sum of array elements.", "x", "sort " * 300]
    alone = SentenceTransformer(str(run.artifact)).encode(texts)
    assert np.abs(alone - run.model().encode(texts)).max() == 0


def test_evaluating_the_artifact_gives_the_figures_of_the_run_and_of_trec_eval(
    run: nearer.Run, docstrings: dict[str, str], tmp_path: Path
) -> None:
    import pytrec_eval

    file = tmp_path / "run.trec"
    query_data = docstrings["query_data"]
    result = nearer.evaluate(str(run.artifact), query_data, limit=10, trec_run=file)
    after = run.metrics()["after"]
    assert result.metrics == {name: after[name] for name in result.metrics}

    ranked: dict[str, dict[str, float]] = {}
    for line in file.read_text().splitlines():
        query, _, document, _, score, _ = line.split()
        ranked.setdefault(query, {})[document] = float(score)
    rows = [json.loads(line) for line in Path(query_data).read_text().splitlines()]
    queries = list(dict.fromkeys(row["query"] for row in rows))
    documents = list(dict.fromkeys(row["document"] for row in rows))
    firsts = {
        "query": {q: str([r["query"] for r in rows].index(q)) for q in queries},
        "document": {d: str([r["document"] for r in rows].index(d)) for d in documents},
    }
    judged: dict[str, dict[str, int]] = {}
    for row in rows:
        query = firsts["query"][row["query"]]
        judged.setdefault(query, {})[firsts["document"][row["document"]]] = 1
    measures = {"ndcg_cut_10": "ndcg_at_k", "success_10": "hit_at_k", "recip_rank": None}
    scored = pytrec_eval.RelevanceEvaluator(judged, set(measures)).evaluate(ranked)
    for theirs, ours in measures.items():
        mean = sum(s[theirs] for s in scored.values()) / len(judged)
        name = ours or "reciprocal_rank"
        assert result.metrics[f"minilm_{name}"] == pytest.approx(mean, abs=1e-6)


@pytest.mark.skipif(not DATA.is_dir(), reason="NEARER_DATA: banking77 is not here")
def test_labels_of_banking77_teach_the_names_of_the_intents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (DATA / "banking77" / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = list(dict.fromkeys(row["label"] for row in rows))[:8]
    chosen = [[r for r in rows if r["label"] == name][:20] for name in names]
    for part, start, stop in (("train", 0, 12), ("dev", 12, 20)):
        with (tmp_path / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["text", "label"])
            writer.writeheader()
            writer.writerows(row for rows_of in chosen for row in rows_of[start:stop])
    arguments = ["fit", "--model", "minilm", "--train-data", str(tmp_path / "train.csv")]
    arguments += ["--query-data", str(tmp_path / "dev.csv"), "--limit", "5", "--epochs", "2"]
    arguments += ["--index-data", str(DATA / "banking77" / "names.csv"), "--json"]
    arguments += ["--max-length", "32", "--runs-dir", str(tmp_path / "runs"), "--freeze", "4"]
    assert command(arguments) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["metrics"]["after"]["minilm_hit_at_k"] >= out["metrics"]["before"]["minilm_hit_at_k"]
    assert out["history"][0]["epoch"] == 0
