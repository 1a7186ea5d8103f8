"""Several processes on one machine: they do what one does, and end together."""

import json
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import several_fits
from support.cli import Bench, flags
from support.processes import Launch, results

import nearer

pytestmark = pytest.mark.slow

SCRIPT = str(Path(several_fits.__file__))


@pytest.fixture(scope="module")
def steady_bert(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model without dropout, of which every process would draw its own."""
    folder = tmp_path_factory.mktemp("steady") / "tiny-bert"
    shutil.copytree(tiny_bert, folder)
    for file in folder.rglob("config.json"):
        config = json.loads(file.read_text())
        if "hidden_dropout_prob" in config:
            config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
            file.write_text(json.dumps(config))
    return folder


@dataclass(frozen=True)
class Done:
    """What one process did, and what each of two did: one launch for all of it."""

    alone: dict[str, Any]
    ranks: list[dict[str, Any]]
    folder: Path
    options: dict[str, Any]


@pytest.fixture(scope="module")
def done(steady_bert: Path, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("data")
    kinds, colours = ["shoes", "boots", "hat", "coat", "shirt"], ["red", "green", "blue"]
    pairs = [(f"cheap {k} in {c}", f"the best {c} {k} for winter") for k in kinds for c in colours]
    rows = [{"query": q, "document": d} for q, d in pairs]
    texts = [f"{w} {c} {k}" for k in kinds[:3] for c in colours for w in ("cheap", "warm")]
    data = {
        "train_data": rows * 2,
        "few": rows[:5],
        "query_data": [{"id": f"q{i}", "text": q} for i, (q, _) in enumerate(pairs)],
        "index_data": [{"id": f"d{i}", "text": d} for i, (_, d) in enumerate(pairs)],
        "qrels": str(folder / "qrels.tsv"),
        "texts": texts,
        "with_dropout": str(tiny_bert),
    }
    lines = [f"q{i}\td{i}\t1\n" for i in range(len(pairs))]
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    for name in ("train_data", "query_data", "index_data"):
        file = folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in data[name]))
    one, two = folder / "one", folder / "two"
    one.mkdir()
    two.mkdir()
    options = {
        "model": steady_bert,
        **{n: folder / f"{n}.jsonl" for n in ("train_data", "query_data", "index_data")},
        "qrels": data["qrels"],
        "batch_size": 8,
        "epochs": 2,
        "precision": "fp32",
        "runs_dir": two / "cli",
    }
    commands = [
        ["fit", *flags({**options, "name": "mine"}), "--json"],
        ["evaluate", str(two / "cli/default/mine/artifact"), *flags(data_of(options)), "--json"],
        ["fit", *flags({**options, "name": "faulty", "monitor": "ndgc_at_k"})],
    ]
    (folder / "data.json").write_text(json.dumps({**data, "commands": commands}))
    alone = several_fits.run(one, str(steady_bert), data)
    words = [SCRIPT, str(two), str(steady_bert), str(folder / "data.json")]
    return Done(alone, results(two, words), two, {**options, "runs_dir": one / "cli"})


def data_of(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("query_data", "index_data", "qrels")}


FITS = ("pairs", "micro", "labels", "stopped", "short", "skipped", "wise")


@pytest.mark.parametrize("name", FITS)
def test_the_same_batches_give_the_same_losses(done: Done, name: str) -> None:
    alone, (first, second) = done.alone, done.ranks
    one, two = alone[name], first["fits"][name]
    assert len(one["losses"]) > 1
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)
    assert second["fits"][name]["losses"] == []  # a user's callback is called in the first only
    assert second["fits"][name]["steps"] == two["steps"] == one["steps"] == len(one["losses"])


@pytest.mark.parametrize("name", FITS)
def test_the_metrics_and_the_model_are_those_of_one_process(done: Done, name: str) -> None:
    alone, first = done.alone, done.ranks[0]
    one, two = alone[name], first["fits"][name]
    assert len(two["history"]) == len(one["history"])
    for here, there in zip(two["history"], one["history"], strict=True):
        assert here == pytest.approx(there, rel=1e-5)
    assert two["stopped"] == one["stopped"]
    assert two["weights"] == pytest.approx(one["weights"], rel=1e-3, abs=1e-3)
    assert (one["processes"], two["processes"]) == (1, 2)


def test_a_gradient_that_is_nan_in_one_of_them_skips_the_step_in_all(done: Done) -> None:
    """Losses and weights after it are those of one process: the tests above."""
    assert done.alone["skipped"]["skipped"] == done.ranks[0]["fits"]["skipped"]["skipped"] == 1
    assert done.alone["pairs"]["skipped"] == 0


def test_the_weights_in_between_are_tried_by_all_together(done: Done) -> None:
    one, two = done.alone["wise"]["wise_ft"], done.ranks[0]["fits"]["wise"]["wise_ft"]
    assert (two["alpha"], two["monitor"]) == (one["alpha"], one["monitor"])
    assert [p["alpha"] for p in two["curve"]] == [0, 0.5, 1]
    assert [p["value"] for p in two["curve"]] == pytest.approx(
        [p["value"] for p in one["curve"]], rel=1e-5
    )


def test_an_interrupted_run_is_gone_on_with_bit_for_bit(done: Done) -> None:
    """Each process draws dropout of its own, and goes on drawing where it was."""
    whole, cut = (done.ranks[0]["resumed"][name] for name in ("whole", "cut"))
    assert cut == whole
    assert whole[2] > 5
    log = (done.folder / "resumed/default/cut/log.txt").read_text()
    assert "SIGINT at epoch" in log
    assert "bit for bit" not in log  # what the log says where it is not


def test_what_they_exchange(done: Done) -> None:
    first, second = (rank["exchanges"] for rank in done.ranks)
    assert first == second
    assert first["first"] == [None, "reason 0", "x"]
    assert first["arrays"] == [[], [[0, 1, 2]]]
    assert first["broadcast"] == {"rank": 0}
    # Summed; without a gradient anywhere none; of the loss's own that of the first process.
    assert first["gradients"] == [[3.0, 3.0], None, [5.0, 5.0]]


def test_the_command_line_writes_and_speaks_once(done: Done) -> None:
    alone = nearer.fit(**done.options, name="mine")
    out, err = ((done.folder / f"torchrun.{end}").read_text() for end in ("out", "err"))
    fitted, evaluated = map(json.loads, out.splitlines())
    for point, expected in zip(fitted["history"], alone.history, strict=True):
        assert point["metrics"] == pytest.approx(expected["metrics"], rel=1e-5)
    assert evaluated["metrics"] == pytest.approx(
        {k: v for k, v in fitted["metrics"]["after"].items() if k != "train_loss"}, rel=1e-5
    )
    runs = done.folder / "cli" / "default"
    assert [path.name for path in runs.iterdir()] == ["mine"]
    log = (runs / "mine" / "log.txt").read_text()
    assert log.count("Epoch 1:") == log.count("Artifact:") == 1
    assert ", 2 processes" in log
    assert err.count(f"in {runs / 'mine'}\n") == 1
    assert len(list((runs / "mine" / "ranks").iterdir())) == 3


def test_a_fault_is_told_once(done: Done) -> None:
    assert [rank["codes"] for rank in done.ranks] == [[0, 0, 2]] * 2
    err = (done.folder / "torchrun.err").read_text()
    said = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert 'Did you mean "ndcg_at_k"' in said[0]


@pytest.fixture
def bench(bench: Bench, steady_bert: Path) -> Bench:
    bench.model = steady_bert
    bench.defaults["device"] = "cpu"
    return bench


def test_a_lost_process_and_ctrl_c(bench: Bench) -> None:
    """Two launches side by side: in one a process is killed, the other is interrupted."""
    launches = {}
    for name in ("killed", "stopped"):
        (bench.folder / name).mkdir()
        words = ["-m", "nearer", "fit", *flags(bench.options(epochs=100_000, name=name)), "--json"]
        launches[name] = Launch(bench.folder / name, words)
    try:
        for name, launch in launches.items():
            metrics = bench.runs / "default" / name / "metrics.jsonl"
            launch.until(lambda m=metrics: m.is_file() and m.read_text().count("\n") > 1)
        began = time.monotonic()
        lost = launches["killed"].pid_of(1)
        os.kill(lost, signal.SIGKILL)
        launches["stopped"].process.send_signal(signal.SIGINT)
        codes = {name: launch.wait() for name, launch in launches.items()}
        assert time.monotonic() - began < 60
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
    assert record["stop_reason"]["detail"].startswith("SIGINT at epoch ")
    printed = json.loads(launches["stopped"].out.read_text())
    assert printed["metrics"]["after"] == record["metrics"]["after"]
    assert (Path(printed["artifact"]) / "nearer.json").is_file()
    err = launches["stopped"].err.read_text()
    assert err.count("error: interrupted by SIGINT") == 1
