"""Fixtures that all tests share. Nothing here reaches the network."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli import Bench
from support.tiny import save_tiny_bert


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Embeddings are kept in a folder of the tests, never in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEARER_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("NEARER_CACHE_SIZE", raising=False)
        yield


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a SentenceTransformer that trains in milliseconds."""
    return save_tiny_bert(tmp_path_factory.mktemp("model"))


@pytest.fixture
def toy_files(tmp_path: Path) -> dict[str, str]:
    """Files of a small search task: train.csv, queries.jsonl, corpus.jsonl, qrels.tsv."""
    return write_toy_files(tmp_path)


@pytest.fixture
def bench(
    tmp_path: Path,
    tiny_bert: Path,
    toy_files: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    """The small search task and the command line, in a folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARER_RUNS", raising=False)
    return Bench(tmp_path, tiny_bert, toy_files, capsys, {"learning_rate": 1e-3})


def write_toy_files(tmp_path: Path) -> dict[str, str]:
    """Write these files and return their paths by the option that takes them."""
    kinds = ["shoes", "boots", "hat", "coat", "shirt"]
    colours = ["red", "green", "blue"]
    pairs = [(f"cheap {k} in {c}", f"the best {c} {k} for winter") for k in kinds for c in colours]
    train = tmp_path / "train.csv"
    train.write_text("query,document\n" + "".join(f"{q},{d}\n" for q, d in pairs * 2))
    queries, corpus, qrels = (tmp_path / n for n in ("queries.jsonl", "corpus.jsonl", "qrels.tsv"))
    queries.write_text(
        "".join(f'{{"id": "q{i}", "text": "{q}"}}\n' for i, (q, _) in enumerate(pairs))
    )
    corpus.write_text(
        "".join(f'{{"id": "d{i}", "text": "{d}"}}\n' for i, (_, d) in enumerate(pairs))
    )
    qrels.write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\td{i}\t1\n" for i in range(len(pairs)))
    )
    return {
        "train_data": str(train),
        "query_data": str(queries),
        "index_data": str(corpus),
        "qrels": str(qrels),
    }
