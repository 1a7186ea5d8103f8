"""Runs on data that is kept and tokenised once: the same bits as without, and quicker to start."""

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file
from support.toy import same

import nearer
from nearer.data import keeping
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.errors import Interrupted
from nearer.run import tokenise as tokenise_module

COLOURS, THINGS = ["red", "green", "blue"], ["shoes", "boots", "hat", "coat", "shirt"]
ROWS = [
    {"query": f"cheap {t} in {c}", "document": f"the best {c} {t} for winter", "negative": f"{t} x"}
    for c in COLOURS
    for t in THINGS
] * 2


@pytest.fixture
def options(tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A small fit from a file; the cache is the test's own."""
    monkeypatch.setenv("NEARER_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "train.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    own = {"model": str(tiny_bert), "train_data": str(data), "runs_dir": str(tmp_path / "runs")}
    return {**own, "epochs": 2, "batch_size": 8, "device": "cpu", "precision": "fp32"}


def weights(run: Any) -> dict[str, Any]:
    return load_file(run.folder / "artifact" / "model.safetensors")


@pytest.mark.parametrize("more", [{}, {"val_split": 0.3}, {"eval_data": ROWS[:9]}])
def test_the_same_bits_with_and_without(
    more: dict[str, Any], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, plain = [], SentenceTransformerEncoder.prepare

    def prepare(self: Any, items: Any, side: Any) -> Any:
        asked.append(len(items))
        return plain(self, items, side)

    monkeypatch.setenv("NEARER_CACHE_SIZE", "0")
    without = nearer.fit(**options, **more)
    monkeypatch.delenv("NEARER_CACHE_SIZE")
    monkeypatch.setattr(SentenceTransformerEncoder, "prepare", prepare)
    small = nearer.fit(**options, **more)  # held in memory, tokenised once
    checks = len(asked)
    assert checks <= 6  # a sample of each side, also to see whether it packs; never a batch
    monkeypatch.setattr(keeping, "KEPT_FROM", 0)
    large, again = (nearer.fit(**options, **more) for _ in range(2))
    assert len(asked) == 3 * checks
    for run in (small, large, again):
        assert same(weights(run), weights(without))
        assert run.record["data"] == without.record["data"]
        assert [p["metrics"] for p in run.history] == [p["metrics"] for p in without.history]


def test_a_second_run_tokenises_nothing(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    nearer.fit(**options)
    done = []

    def tokenise(encoder: Any, texts: Any, side: Any, keep: Any, about: str, advance: Any) -> bool:
        return plain(encoder, texts, side, keep, about, done.append)

    plain = tokenise_module.tokenise
    monkeypatch.setattr(tokenise_module, "tokenise", tokenise)
    nearer.fit(**options)
    assert not done
    Path(options["train_data"]).write_text(
        "".join(json.dumps(row) + "\n" for row in [*ROWS, {**ROWS[0], "query": "new"}])
    )
    nearer.fit(**options)
    assert sum(done) == 16 + 20  # the different queries, and documents with negatives


def test_a_signal_while_tokenising_ends_the_run(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = SentenceTransformerEncoder.preprocess

    def preprocess(self: Any, items: Any, side: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return plain(self, items, side)

    monkeypatch.setattr(SentenceTransformerEncoder, "preprocess", preprocess)
    with pytest.raises(Interrupted) as ended:
        nearer.fit(**options, name="ended")
    assert ended.value.exit_code == 143
    assert ended.value.run is None
    record = json.loads(
        (Path(options["runs_dir"]) / "default" / "ended" / "run.json").read_text("utf-8")
    )
    assert record["status"] == "interrupted"
    assert "SIGTERM" in record["error"]
    monkeypatch.setattr(SentenceTransformerEncoder, "preprocess", plain)
    assert nearer.fit(name="ended", resume=True, runs_dir=options["runs_dir"]).status == "finished"


def test_labelled_rows_and_rows_that_were_skipped(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(keeping, "KEPT_FROM", 0)
    data = tmp_path / "labelled.csv"
    rows = [f"{c} {t},{t}" for c in COLOURS for t in THINGS]
    data.write_text("text,label\n" + "\n".join([*rows, " ,hat"]) + "\n")
    given = {**options, "train_data": str(data), "on_bad_row": "skip"}
    first, second = nearer.fit(**given), nearer.fit(**given)
    monkeypatch.setenv("NEARER_CACHE_SIZE", "0")
    without = nearer.fit(**given)
    for run in (first, second):
        assert same(weights(run), weights(without))
        assert run.record["data"]["train"]["skipped"] == 1
        assert np.isfinite(run.history[-1]["metrics"]["train_loss"])
