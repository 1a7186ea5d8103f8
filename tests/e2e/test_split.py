"""A model that is split between two processes learns what a whole one learns in one process."""

import json
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import split_fits
from support.cli import Bench, flags
from support.processes import Launch, results

from nearer.loop import trainer
from nearer.run import forecast

pytestmark = pytest.mark.slow

BUDGET = 24
"""Tokens of a micro-batch: few, so that tiny batches have several and processes differ in count."""


@dataclass(frozen=True)
class Done:
    """What one process did with a whole model, and what each of two did with a split one."""

    alone: dict[str, Any]
    ranks: list[dict[str, Any]]
    folder: Path


@pytest.fixture(scope="module")
def done(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("split")
    models = {}
    for name in ("one", "other"):
        models[name] = folder / name
        shutil.copytree(tiny_bert, models[name])
        for file in models[name].rglob("config.json"):
            config = json.loads(file.read_text())
            if "hidden_dropout_prob" in config:
                config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
                file.write_text(json.dumps(config))
    kinds, colours = ["shoes", "boots", "hat", "coat", "shirt"], ["red", "green", "blue"]
    pairs = [
        (f"cheap {k} in {c}", " ".join([f"the best {c} {k}"] + ["for winter"] * (3 * i)))
        for i, k in enumerate(kinds)
        for c in colours
    ]
    rows = [{"query": q, "document": d} for q, d in pairs]
    data = {
        "model": str(models["one"]),
        "other": str(models["other"]),
        "with_dropout": str(tiny_bert),
        "train_data": rows * 2,
        "few": rows[-5:],
        "query_data": [{"id": f"q{i}", "text": q} for i, (q, _) in enumerate(pairs)],
        "index_data": [{"id": f"d{i}", "text": d} for i, (_, d) in enumerate(pairs)],
        "qrels": str(folder / "qrels.tsv"),
        "labelled": [{"text": f"{c} {k}", "label": k} for k in kinds for c in colours],
        "budget": BUDGET,
    }
    lines = [f"q{i}\td{i}\t1\n" for i in range(len(pairs))]
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    (folder / "data.json").write_text(json.dumps(data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "TRAIN_BUDGET", BUDGET)
        patch.setattr(forecast, "TRAIN_BUDGET", BUDGET)
        alone = split_fits.run(folder / "alone", data)
    two = folder / "two"
    two.mkdir()
    words = [str(Path(split_fits.__file__)), str(two), str(folder / "data.json")]
    return Done(alone, results(two, words), two)


FITS = (
    *("plain", "two passes", "micro", "head", "lora", "frozen", "towers", "one tower"),
    *("few", "sgd", "wise", "asked", "one pass"),
)


@pytest.mark.parametrize("name", FITS)
def test_it_learns_what_a_whole_one_learns(done: Done, name: str) -> None:
    alone, first, second = done.alone[name], *(rank["fits"][name] for rank in done.ranks)
    assert len(alone["losses"]) > 1
    assert first["losses"] == second["losses"] == pytest.approx(alone["losses"], rel=1e-5)
    assert len(first["history"]) == len(alone["history"])
    for here, there in zip(first["history"], alone["history"], strict=True):
        assert here == pytest.approx(there, rel=1e-5, abs=1e-7)
    np.testing.assert_allclose(first["embeddings"], alone["embeddings"], atol=2e-4)


@pytest.mark.parametrize("name", FITS)
def test_each_process_holds_about_half_of_it(done: Done, name: str) -> None:
    for rank in done.ranks:
        fit = rank["fits"][name]
        assert fit["whole"] == done.alone[name]["whole"]
        heads = 16 * 200 if name in ("head", "towers", "one tower") else 0  # these stay whole
        assert fit["held"] < 0.55 * fit["whole"] + heads


def test_the_fits_are_what_they_are_called(done: Done) -> None:
    """Processes differ in their micro-batches, and there are fits of one pass and of two."""
    for name, passes in (("plain", 2), ("two passes", 2), ("micro", 2)):
        fits = [rank["fits"][name] for rank in done.ranks]
        assert fits[0]["forecast"]["passes"] == passes
        assert done.alone[name]["forecast"]["micro_batches"] > 2
        assert done.alone[name]["idle"] == 0
        # One each when it is split, and some more.
        assert sum(fit["idle"] for fit in fits) > (4 if name != "two passes" else 1)
    assert all(rank["fits"]["one pass"]["forecast"]["passes"] == 1 for rank in done.ranks)
    assert sum(rank["fits"]["towers"]["idle"] for rank in done.ranks) > 4


def test_a_callback_of_the_first_process_gets_whole_weights(done: Done) -> None:
    """In the middle of an epoch, and nobody has told the other process."""
    (alone,) = done.alone["asked"]["asked"]
    (here,), (there,) = (rank["fits"]["asked"]["asked"] for rank in done.ranks)
    assert there == []
    assert here == pytest.approx(alone, rel=1e-4)


def test_the_weights_in_between_are_tried_by_all_together(done: Done) -> None:
    one, two = done.alone["wise"]["wise_ft"], done.ranks[0]["fits"]["wise"]["wise_ft"]
    assert [p["value"] for p in two["curve"]] == pytest.approx(
        [p["value"] for p in one["curve"]], rel=1e-5
    )


def test_it_is_gone_on_with_bit_for_bit(done: Done) -> None:
    whole, cut = (done.ranks[0]["resumed"][name] for name in ("whole", "cut"))
    assert cut == whole
    assert whole[2] > 5


def test_a_lost_process_and_ctrl_c(bench: Bench) -> None:
    """Two launches side by side: in one a process is killed, the other is interrupted."""
    bench.defaults["device"] = "cpu"
    launches = {}
    for name in ("killed", "stopped"):
        (bench.folder / name).mkdir()
        options = bench.options(epochs=100_000, name=name, shard=True)
        launches[name] = Launch(bench.folder / name, ["-m", "nearer", "fit", *flags(options)])
    try:
        for name, launch in launches.items():
            metrics = bench.runs / "default" / name / "metrics.jsonl"
            launch.until(lambda m=metrics: m.is_file() and m.read_text().count("\n") > 1)
        lost = launches["killed"].pid_of(1)
        os.kill(lost, signal.SIGKILL)
        launches["stopped"].process.send_signal(signal.SIGINT)
        codes = {name: launch.wait() for name, launch in launches.items()}
    finally:
        for launch in launches.values():
            launch.end()
    assert codes["killed"] != 0
    record = json.loads((bench.runs / "default/killed/run.json").read_text())
    assert record["status"] == "failed"
    assert f"process 1 of 2 (pid {lost} on " in record["error"]
    assert "ProcessLost" in record["error"]
    record = json.loads((bench.runs / "default/stopped/run.json").read_text())
    assert record["status"] == "interrupted"
    found = bench.evaluate_json(bench.runs / "default/stopped/artifact")
    after = {k: v for k, v in record["metrics"]["after"].items() if k in found["metrics"]}
    assert len(after) == 9
    assert found["metrics"] == pytest.approx(after, rel=1e-5)


def test_every_optimizer_that_is_let_in_can_take_what_is_split(done: Done) -> None:
    found = done.ranks[0]["optimizers"]
    assert {"Adam", "AdamW", "SGD", "Adagrad"} <= found.keys()
    assert all(distance < 1e-4 for distance in found.values()), found


def test_nothing_warns(done: Done) -> None:
    """Such as FSDP of what it is given."""
    assert "Warning" not in (done.folder / "torchrun.err").read_text()
