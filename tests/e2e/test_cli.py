"""The command line from end to end on a small search task: what it prints, what it leaves."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from support.cli import Bench, flags
from support.tiny import Letters, save_tiny_bert

import nearer
from nearer.artifact.manifest import read_manifest
from nearer.encoder.embedding import encode

KEYS = [
    "run",
    "experiment",
    "status",
    "stop_reason",
    "epochs_run",
    "best_epoch",
    "metrics",
    "history",
    "artifact",
    "seconds",
]
TEXTS = ["cheap red shoes", "rain", "the best warm coat for winter"]


def weights(artifact: object, tower: str = "") -> bytes:
    return (Path(str(artifact)) / tower / "model.safetensors").read_bytes()


def retrieval(metrics: dict[str, float]) -> dict[str, float]:
    return {k: v for k, v in metrics.items() if k not in ("train_loss", "val_loss")}


# What fit prints


def test_fit_json_is_one_object_with_the_keys_of_the_contract(bench: Bench) -> None:
    result = bench.fit_json(name="mine", experiment="shoes")
    assert list(result) == KEYS
    assert (result["run"], result["experiment"], result["status"]) == ("mine", "shoes", "finished")
    assert result["stop_reason"] == {"kind": "completed", "detail": "all 2 epochs are done"}
    assert result["epochs_run"] == 2
    assert [point["epoch"] for point in result["history"]] == [0, 1, 2]
    assert [point["step"] for point in result["history"]] == [0, 4, 8]
    assert all(list(point) == ["epoch", "step", "metrics"] for point in result["history"])
    assert result["metrics"]["before"] == result["history"][0]["metrics"]
    assert result["metrics"]["after"] == result["history"][result["best_epoch"]]["metrics"]
    assert result["artifact"] == str(bench.runs / "shoes" / "mine" / "artifact")
    assert result["seconds"] > 0
    lines = (bench.runs / "shoes" / "mine" / "metrics.jsonl").read_text().splitlines()
    assert [
        {k: line[k] for k in ("epoch", "step", "metrics")} for line in map(json.loads, lines)
    ] == result["history"]


def test_evaluating_the_artifact_gives_the_figures_of_the_run_exactly(bench: Bench) -> None:
    result = bench.fit_json(epochs=3)
    evaluated = bench.evaluate_json(result["artifact"])
    assert list(evaluated) == ["metrics", "queries", "queries_without_relevant", "index", "seconds"]
    assert evaluated["metrics"] == retrieval(result["metrics"]["after"])
    assert (evaluated["queries"], evaluated["index"]) == (15, 15)
    before = bench.evaluate_json(bench.model)
    assert before["metrics"] == result["metrics"]["before"]


def test_fit_for_people(bench: Bench) -> None:
    ran = bench.fit(name="mine", epochs=1)
    assert ran.code == 0
    head, *rows = ran.out.splitlines()
    assert head.split() == ["metric", "before", "after"]
    assert any(row.startswith("tiny-bert_ndcg_at_k ") for row in rows)
    assert rows[-2:] == ["run: mine", f"artifact: {bench.runs}/default/mine/artifact"]
    assert "Training [1/1] 4/4" in ran.err
    assert "INFO     Done ✨" in ran.err
    assert "INFO     Stopped: the only epoch is done" in ran.err
    assert "INFO     Metric: 'tiny-bert_ndcg_at_k' before fine-tuning: 0." in ran.err
    assert f"INFO     Artifact: {bench.runs}/default/mine/artifact" in ran.err
    assert "\x1b" not in ran.out + ran.err


def test_what_is_on_by_default_is_switched_off_with_a_value(bench: Bench) -> None:
    ran = bench.fit(epochs=1, packing="false", name="padded")
    assert ran.code == 0
    record = json.loads((bench.runs / "default" / "padded" / "run.json").read_text())
    assert record["spec"]["packing"] is False
    assert record["forecast"]["packed"] is False
    wrong = bench.fit(epochs=1, packing="maybe")
    assert (wrong.code, wrong.out) == (2, "")
    assert "packing: 'maybe'; must be true or false" in wrong.err


def test_one_run_from_flags_from_a_spec_and_from_python_gives_the_same_bits(bench: Bench) -> None:
    options = {**bench.options(runs_dir=None), "query_prompt": "find: "}
    lines = [f"{k} = {v if isinstance(v, int | float) else json.dumps(str(v))}\n"
             for k, v in options.items()]  # fmt: skip
    spec = bench.write("spec.toml", "".join(lines))
    flagged = bench.json("fit", *flags(options))
    specified = bench.json("fit", spec)
    python = nearer.fit(**options)
    assert weights(flagged["artifact"]) == weights(specified["artifact"])
    assert weights(flagged["artifact"]) == weights(python.artifact)
    assert weights(flagged["artifact"]) != weights(bench.model)
    assert flagged["history"] == specified["history"] == python.result()["history"]
    other = bench.json("fit", spec, "--seed", "7")
    assert weights(other["artifact"]) != weights(flagged["artifact"])


def test_paths_in_a_spec_are_relative_to_its_folder(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f'model = "{bench.model}"\ntrain_data = "train.csv"\nruns_dir = "mine"\nepochs = 1\n'
    text += '[[callbacks]]\nname = "EvaluationCallback"\nquery_data = "queries.jsonl"\n'
    text += 'index_data = "corpus.jsonl"\nqrels = "qrels.tsv"\nevaluation_name = "toy"\n'
    spec = bench.write("spec.toml", text)
    elsewhere = bench.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    result = bench.json("fit", spec)
    assert Path(result["artifact"]).is_relative_to(bench.folder / "mine")
    assert "toy_ndcg_at_k" in result["metrics"]["after"]


def test_runs_go_where_the_environment_says(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARER_RUNS", str(bench.folder / "all-runs"))
    result = bench.fit_json(runs_dir=None, epochs=1, name="v1.2.0")
    assert result["artifact"] == str(bench.folder / "all-runs/default/v1.2.0/artifact")
    shown = bench.json("runs", "show", "v1.2.0")
    assert shown == result
    bench.evaluate_json(result["artifact"])


# The other commands


def test_runs_list_show_and_logs(bench: Bench) -> None:
    first = bench.fit_json(name="one", epochs=1)
    bench.fit_json(name="two", experiment="other", epochs=1)
    listed = bench.json("runs", "list")["runs"]
    assert [(r["experiment"], r["run"]) for r in listed] == [("default", "one"), ("other", "two")]
    assert {r["status"] for r in listed} == {"finished"}
    assert [r["run"] for r in bench.json("runs", "list", "--experiment", "other")["runs"]] == [
        "two"
    ]
    table = bench.run("runs", "list").out.splitlines()
    assert table[0].split()[:3] == ["experiment", "run", "status"]
    assert [row.split()[:3] for row in table[1:]] == [
        ["default", "one", "finished"],
        ["other", "two", "finished"],
    ]
    assert bench.json("runs", "show", "one") == first
    text = bench.run("runs", "show", "one").out
    assert text.startswith("run: one\nexperiment: default\nstatus: finished\nstopped: the only ")
    log = bench.run("runs", "logs", "one").out
    assert "INFO     Run one of experiment default in " in log
    assert "INFO     Artifact: " in log
    assert log == (bench.runs / "default/one/log.txt").read_text()


def test_no_runs_yet(bench: Bench) -> None:
    assert bench.json("runs", "list") == {"runs": []}
    assert bench.run("runs", "list").code == 0


def test_one_name_in_two_experiments(bench: Bench) -> None:
    for experiment in ("a", "b"):
        bench.fit_json(name="same", experiment=experiment, epochs=1, **NO_EVALUATION)
    ran = bench.run("runs", "show", "same")
    assert ran.code == 2
    assert ran.err == 'error: "same" is a run of several experiments: a, b; say which\n'
    assert bench.json("runs", "show", "same", "--experiment", "b")["experiment"] == "b"


def test_encode(bench: Bench) -> None:
    texts = bench.write("texts.csv", "text\n" + "\n".join(TEXTS) + "\n")
    ran = bench.run("encode", bench.model, texts, "-o", "out.npy", "--side", "query")
    assert ran.code == 0, ran.err
    assert ran.out == "out.npy: 3 rows, 32 dimensions\n"
    vectors = np.load("out.npy")
    assert vectors.dtype == np.float32
    alone = SentenceTransformer(str(bench.model), device="cpu").encode(TEXTS, batch_size=3)
    np.testing.assert_allclose(vectors, alone, atol=1e-6)
    np.testing.assert_array_equal(vectors, nearer.encode(str(bench.model), TEXTS, side="query"))
    assert sorted(p.name for p in bench.folder.glob("*out*")) == ["out.npy"]


def test_evaluating_embeddings_gives_the_figures_of_their_model(bench: Bench) -> None:
    data = {name: bench.files[name] for name in ("query_data", "index_data", "qrels")}
    for name, side in (("query_data", "query"), ("index_data", "document")):
        written = ("-o", f"{side}.npy", "--side", side)
        assert bench.run("encode", bench.model, data[name], *written).code == 0
    asked = {**data, "limit": 10, "trec_run": bench.folder / "run.txt"}
    files = "query.npy,document.npy"
    given = bench.json("evaluate", "--embeddings", files, "--name", "it", *flags(asked))
    told = (bench.folder / "run.txt").read_text()
    model = bench.evaluate_json(bench.model, name="it", memory_budget="64MiB")
    assert given["metrics"] == pytest.approx(model["metrics"])
    assert (given["queries"], given["index"]) == (model["queries"], model["index"])
    assert len(told.splitlines()) == 10 * given["queries"]

    sampled = bench.json("evaluate", "--embeddings", files, "--query-sample-size=4", *flags(asked))
    assert sampled["queries"] == 4
    assert "embeddings_ndcg_at_k" in sampled["metrics"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "model, embeddings: neither is given; give a model"),
        (("minilm", "--embeddings", "a.npy,b.npy"), "model, embeddings: both are given"),
        (("--embeddings", "a.npy,b.npy,c.npy"), "embeddings: 3 things"),
        (("--embeddings", "a.npy,b.npy"), "a.npy: no such file"),
        (("minilm", "--memory-budget", "much"), "memory_budget is 'much'; give a number of bytes"),
        (("minilm", "--query-sample-size", "0"), "query_sample_size: 0; must be at least 1"),
    ],
)
def test_what_evaluate_refuses(bench: Bench, words: tuple[str, ...], says: str) -> None:
    data = {name: bench.files[name] for name in ("query_data", "index_data", "qrels")}
    ran = bench.run("evaluate", *words, *flags(data))
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


def test_options_of_the_evaluation_reach_the_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Embeddings that another test has made would leave nothing to encode, and nothing to say of it.
    monkeypatch.setenv("NEARER_CACHE", str(bench.folder / "cache"))
    result = bench.fit_json(query_sample_size=5, memory_budget="32MiB", name="mine", epochs=1)
    log = (bench.runs / "default/mine/log.txt").read_text()
    assert "5 of 15 queries ask, drawn with seed 42" in log
    assert "rows to encode, " in log
    command = re.search(r"Next: nearer (evaluate .*)", log)
    assert command is not None
    assert "--limit 10 --query-sample-size 5" in command[1]
    again = bench.json(*command[1].split())
    assert retrieval(again["metrics"]) == retrieval(result["metrics"]["after"])


def test_models(bench: Bench) -> None:
    found = bench.json("models")["models"]
    assert {"minilm", "resnet50", "clip"} <= {entry["name"] for entry in found}
    assert set(found[0]) >= {"name", "task", "id", "dimension", "parameters", "licence", "note"}
    pictures = bench.json("models", "image-to-image")["models"]
    assert {entry["task"] for entry in pictures} == {"image-to-image"}
    assert bench.run("models").out.splitlines()[0].split()[:3] == ["name", "task", "dims"]


def test_loop(bench: Bench) -> None:
    everyone = bench.run("loop").out
    assert everyone.splitlines()[0].startswith("on_fit_begin")
    assert "EarlyStopping" in everyone
    spec = bench.write(
        "spec.toml", 'query_data = "q"\n[[callbacks]]\nname = "CSVLogger"\nfilename = "m.csv"\n'
    )
    ran = bench.run("loop", spec)
    assert ran.code == 0
    at = {line.split()[0]: line for line in ran.out.splitlines()}
    assert at["on_evaluate"].endswith("← EvaluationCallback")
    assert at["on_metrics"].endswith("← CSVLogger, ProgressBar")
    assert at["on_close"].endswith("← CSVLogger, ProgressBar")
    assert "EarlyStopping" not in ran.out


def test_help_and_version_import_no_torch() -> None:
    code = (
        "import sys; from nearer.cli.main import run\n"
        "for words in (['--help'], ['fit', '--help'], ['runs', '--help'], ['--version']):\n"
        "    assert run(words) == 0, words\n"
        "loaded = {'torch', 'numpy', 'transformers', 'datasets', 'pyarrow'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert "--train-data" in ran.stdout
    assert "Fine-tune a model on your own data." in ran.stdout


def test_fit_json_as_a_process(bench: Bench) -> None:
    words = flags(bench.options(epochs=1, name="outside"))
    ran = subprocess.run(
        [sys.executable, "-m", "nearer", "fit", *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    assert list(json.loads(ran.stdout)) == KEYS
    assert len(ran.stdout.splitlines()) == 1
    assert "Training [1/1] 4/4" in ran.stderr
    assert "Warning:" not in ran.stderr  # of a library's own: FutureWarning, UserWarning


# Names, resuming


NO_EVALUATION: dict[str, Any] = dict.fromkeys(("query_data", "index_data", "qrels", "limit"))


def test_a_taken_name(bench: Bench) -> None:
    bench.fit_json(name="mine", epochs=1)
    record = (bench.runs / "default/mine/run.json").read_bytes()
    ran = bench.fit(name="mine", epochs=1)
    assert ran.code == 2
    assert 'error: run "mine" exists in experiment "default"' in ran.err
    assert (bench.runs / "default/mine/run.json").read_bytes() == record


def test_resuming_a_finished_run_prints_its_result_again(bench: Bench) -> None:
    result = bench.fit_json(name="mine")
    again = bench.json("fit", "--resume", "--name", "mine", "--runs-dir", bench.runs)
    assert again == result


def test_a_run_that_died_is_dead_and_starts_again_from_its_recorded_spec(bench: Bench) -> None:
    result = bench.fit_json(name="mine", document_prompt="doc: ")
    path = bench.runs / "default/mine/run.json"
    record = json.loads(path.read_text())
    gone = subprocess.Popen(["true"])
    gone.wait()
    record["process"]["pid"] = gone.pid
    path.write_text(json.dumps({**record, "status": "running", "stop_reason": None}))
    assert bench.json("runs", "list")["runs"][0]["status"] == "dead"
    told = bench.run("runs", "list").out
    assert "dead" in told
    assert "nearer runs resume mine" in told
    assert bench.json("runs", "show", "mine")["status"] == "dead"
    again = bench.json("fit", "--resume", "--name", "mine", "--runs-dir", bench.runs)
    assert again["status"] == "finished"
    assert again["history"] == result["history"]
    assert weights(again["artifact"]) == weights(result["artifact"])


def test_a_run_that_is_still_running_cannot_be_resumed(bench: Bench) -> None:
    bench.fit_json(name="mine", epochs=1)
    path = bench.runs / "default/mine/run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "status": "running"}))
    path.with_name("lock").write_text(json.dumps(record["process"]))
    ran = bench.run("fit", "--resume", "--name", "mine", "--runs-dir", bench.runs)
    assert ran.code == 2
    assert f'run "mine" is still running, as process {os.getpid()} on ' in ran.err
    assert json.loads(path.read_text()) == {**record, "status": "running"}


def test_data_given_as_objects_must_be_given_again(bench: Bench) -> None:
    rows = [{"query": f"red hat {i}", "document": f"a hat {i}"} for i in range(4)]
    run = nearer.fit(model=str(bench.model), train_data=rows, epochs=1, name="mine")
    record = json.loads((run.folder / "run.json").read_text())
    assert record["spec"]["train_data"] == {"object": "list, 4 rows"}
    (run.folder / "run.json").write_text(json.dumps({**record, "status": "failed"}))
    ran = bench.run("fit", "--resume", "--name", "mine")
    assert ran.code == 2
    assert ran.err == (
        "error: train_data: the run was given an object (list, 4 rows), which is not on disk; give "
        "it again\n"
    )
    again = nearer.fit(train_data=rows, name="mine", resume=True)
    assert again.status == "finished"


# What is kept


def test_the_artifact_needs_sentence_transformers_alone(bench: Bench) -> None:
    run = nearer.fit(**bench.options(name="mine"))
    alone = SentenceTransformer(str(run.artifact), device="cpu").encode(TEXTS)
    ours = run.model().encode(TEXTS)
    assert np.abs(alone - ours).max() == 0
    assert run.metrics()["after"] != run.metrics()["before"]


def test_keep_last(bench: Bench) -> None:
    result = bench.fit_json(keep="last", epochs=3)
    assert result["best_epoch"] is None
    assert result["metrics"]["after"] == result["history"][-1]["metrics"]
    evaluated = bench.evaluate_json(result["artifact"])["metrics"]
    assert evaluated == retrieval(result["history"][-1]["metrics"])


def test_early_stopping_leaves_the_best_epoch(bench: Bench) -> None:
    result = bench.fit_json(
        epochs=30, patience=1, min_delta=0.01, monitor="tiny-bert_ndcg_at_k", learning_rate=3e-3
    )
    assert result["stop_reason"]["kind"] == "patience"
    assert result["status"] == "finished"
    assert result["epochs_run"] < 30
    values = [point["metrics"]["tiny-bert_ndcg_at_k"] for point in result["history"]]
    assert result["best_epoch"] == values.index(max(values))
    assert read_manifest(Path(result["artifact"])).epoch == result["best_epoch"]
    evaluated = bench.evaluate_json(result["artifact"])["metrics"]
    assert evaluated["tiny-bert_ndcg_at_k"] == max(values)


def test_a_run_that_only_made_it_worse_hands_back_the_model_as_it_came(bench: Bench) -> None:
    # Labels that say nothing, at a rate that ruins everything.
    train = bench.write("bad.csv", "text,label\n" + "".join(f"w{i},{i % 2}\n" for i in range(16)))
    ran = bench.fit("--json", train_data=train, learning_rate=0.5, epochs=1)
    result = json.loads(ran.out)
    assert result["best_epoch"] == 0
    assert result["metrics"]["after"] == result["metrics"]["before"]
    assert "No epoch beat the model as it came; that is what the artifact holds" in ran.err
    came = SentenceTransformer(str(bench.model), device="cpu").encode(TEXTS)
    kept = SentenceTransformer(result["artifact"], device="cpu").encode(TEXTS)
    assert np.abs(came - kept).max() == 0


def test_val_split_is_monitored_without_an_evaluation(bench: Bench) -> None:
    result = bench.fit_json(val_split=0.2, patience=3, **NO_EVALUATION)
    losses = [point["metrics"]["val_loss"] for point in result["history"]]
    assert len(losses) == 3
    assert result["best_epoch"] == losses.index(min(losses))


# Kinds of data


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (
            "labelled",
            "text,label\n" + "".join(f"{c} {k},{k}\n" for k in ("hat", "coat") for c in "abcdef"),
        ),
        (
            "scored",
            "text1,text2,score\n" + "".join(f"hat {c},coat {c},0.{c}\n" for c in "123456"),
        ),
        (
            "negatives",
            "query,document,negative\n" + "".join(f"hat {c},hats {c},coat {c}\n" for c in "abcdef"),
        ),
    ],
)  # fmt: skip
def test_kinds_of_data(kind: str, text: str, bench: Bench) -> None:
    train = bench.write("t.csv", text)
    ran = bench.fit("--json", train_data=train, keep="last")
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    losses = [point["metrics"]["train_loss"] for point in result["history"][1:]]
    assert np.isfinite(losses).all()
    assert f"({kind})" in ran.err
    assert weights(result["artifact"]) != weights(bench.model)


def test_matryoshka(bench: Bench) -> None:
    result = bench.fit_json(matryoshka_dims="32,8")
    evaluated = bench.evaluate_json(result["artifact"], truncate_dim=8)
    assert evaluated["metrics"] != retrieval(result["metrics"]["after"])


# Kinds of encoders


def test_a_head_starts_from_the_encoder_without_it(bench: Bench) -> None:
    ran = bench.fit("--json", output_dim=16, freeze="backbone", epochs=3)
    result = json.loads(ran.out)
    before = bench.evaluate_json(bench.model)["metrics"]
    assert result["metrics"]["before"] == before
    assert result["best_epoch"] > 0  # epoch 0 is no candidate: it has no head
    artifact = SentenceTransformer(result["artifact"], device="cpu")
    assert artifact.encode(TEXTS).shape == (3, 16)
    assert [type(m).__name__ for m in artifact] == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert weights(result["artifact"]) == weights(bench.model)  # the backbone was frozen
    assert bench.evaluate_json(result["artifact"])["metrics"] == retrieval(
        result["metrics"]["after"]
    )


def test_prompts_are_in_the_artifact_and_used_by_evaluate(bench: Bench) -> None:
    result = bench.fit_json(query_prompt="find: ", document_prompt="about: ")
    model = SentenceTransformer(result["artifact"], device="cpu")
    assert model.prompts["query"] == "find: "
    assert model.prompts["document"] == "about: "
    after = retrieval(result["metrics"]["after"])
    assert bench.evaluate_json(result["artifact"])["metrics"] == after
    ours = nearer.encode(result["artifact"], TEXTS, side="query")
    np.testing.assert_allclose(ours, model.encode_query(TEXTS), atol=1e-6)
    assert np.abs(ours - model.encode(TEXTS, prompt="")).max() > 1e-3


def test_a_module_of_the_users_own(bench: Bench) -> None:
    torch.manual_seed(0)
    options = {**bench.options(), "model": Letters()}
    run = nearer.fit(**options)
    assert run.status == "finished"
    assert set(run.metrics()["before"]) >= {"letters_ndcg_at_k"}
    with pytest.raises(nearer.NearerError, match=r"give module=…, an instance of it"):
        run.model()
    encoder = nearer.load(run.artifact, module=Letters())
    data = {k: bench.files[k] for k in ("query_data", "index_data", "qrels")}
    result = nearer.evaluate(encoder, **data, limit=10)
    assert result.metrics == retrieval(run.metrics()["after"])
    ran = bench.run("evaluate", run.artifact, *flags(data))
    assert ran.code == 1
    assert "holds the weights of a support.tiny.Letters; give module=…" in ran.err


def test_two_towers(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = save_tiny_bert(tmp_path_factory.mktemp("other"), seed=1).rename(bench.folder / "other")
    towers = {"model": None, "query_model": bench.model, "index_model": other}
    result = bench.fit_json(**towers, epochs=3, learning_rate=3e-3, keep="last")
    artifact = Path(result["artifact"])
    assert "tiny-bert-to-other_ndcg_at_k" in result["metrics"]["after"]
    assert bench.evaluate_json(artifact)["metrics"] == retrieval(result["metrics"]["after"])
    encoder = nearer.load(artifact)
    for side, folder in (("query", "query"), ("document", "index")):
        alone = SentenceTransformer(str(artifact / folder), device="cpu").encode(TEXTS)
        np.testing.assert_array_equal(encode(encoder, TEXTS, side), alone)  # type: ignore[arg-type]
    assert weights(artifact, "query") != weights(artifact, "index")
    assert bench.fit(**towers, freeze="query", output_dim=16, epochs=1).code == 0
