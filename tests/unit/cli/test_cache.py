"""`nearer cache`, and what it shows after real work."""

from pathlib import Path

import pytest
from support.cli import Bench

import nearer
from nearer.encoder.store import EmbeddingStore


@pytest.fixture
def bench(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("NEARER_CACHE", str(bench.folder / "cache"))
    return bench


def test_show_and_clear(bench: Bench) -> None:
    assert bench.json("cache", "show")["models"] == []
    bench.evaluate_json(bench.model)
    shown = bench.json("cache", "show")
    (line,) = shown["models"]  # without prompts both sides embed alike
    assert (line["model"], line["states"], line["rows"]) == ("tiny-bert", 1, 30)
    assert shown["limit"] == 8 << 30
    assert shown["folder"].startswith(str(bench.folder / "cache"))
    table = bench.run("cache", "show").out
    assert "tiny-bert" in table
    assert "just now" in table
    assert "of 8.0 GiB in" in table
    assert bench.json("cache", "clear")["freed"] == shown["size"] > 0
    assert bench.run("cache", "clear").out == "0 bytes freed\n"


def test_a_size_of_nothing_turns_it_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARER_CACHE_SIZE", "0")
    bench.evaluate_json(bench.model)
    assert bench.run("cache", "show").out == "nothing is kept: NEARER_CACHE_SIZE is 0\n"
    monkeypatch.setenv("NEARER_CACHE_SIZE", "lots")
    ran = bench.run("cache", "show")
    assert ran.code == 2
    assert "NEARER_CACHE_SIZE is 'lots'" in ran.err
    assert bench.fit().code == 2
    assert not bench.runs.exists()


def test_evaluating_after_a_fit_computes_nothing(bench: Bench) -> None:
    printed = bench.fit_json(patience=5)
    data = {name: bench.files[name] for name in ("query_data", "index_data", "qrels")}
    result = nearer.evaluate(printed["artifact"], **data, limit=10)
    assert (result.encoded, result.reused) == (0, 30)
    assert result.metrics == {
        name: value for name, value in printed["metrics"]["after"].items() if "loss" not in name
    }
    untuned = nearer.evaluate(bench.model, **data, limit=10)  # the run's epoch 0
    assert untuned.encoded == 0
    fresh = bench.run("cache", "clear")
    assert fresh.code == 0
    again = nearer.evaluate(printed["artifact"], **data, limit=10)
    assert (again.encoded, again.reused) == (30, 0)
    assert again.metrics == result.metrics


def test_a_new_document_is_all_that_is_embedded(bench: Bench) -> None:
    data = {name: bench.files[name] for name in ("query_data", "qrels")}
    corpus = Path(bench.files["index_data"])
    nearer.evaluate(bench.model, index_data=corpus, **data)
    with corpus.open("a") as file:
        file.write('{"id": "new", "text": "wool and leather for the rain"}\n')
    result = nearer.evaluate(bench.model, index_data=corpus, **data)
    assert (result.encoded, result.reused) == (1, 30)


def test_a_cache_that_was_damaged_changes_no_figure(bench: Bench) -> None:
    before = bench.evaluate_json(bench.model)["metrics"]
    for path in (bench.folder / "cache").rglob("*.arrow"):
        path.write_bytes(path.read_bytes()[:-100])
    assert bench.evaluate_json(bench.model)["metrics"] == before


def test_encode_uses_what_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = nearer.encode(str(bench.model), ["red shoes", "a hat"])
    added: list[int] = []
    monkeypatch.setattr(EmbeddingStore, "add", lambda *a: added.append(1))
    assert (nearer.encode(str(bench.model), ["a hat"]) == first[1:]).all()
    assert not added
