"""Bad input through the command line: what is wrong is said, before anything is loaded or written.

One row of the table is one mistake. Each must give exit code 2, a message that names the thing, the
place and the way out, an empty stdout, and nothing on disk; no model may be loaded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nearer
import pytest
from support.cli import Bench, flags


class Sulky(nearer.Callback):
    """A callback of the user's own, named in a spec by `module:Class`."""

    def __init__(self, mood: str = "bad") -> None:
        self.mood = mood


@pytest.fixture
def bench(
    tmp_path: Path,
    tiny_bert: Path,
    toy_files: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, tiny_bert, toy_files, capsys)


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        pytest.fail("a model was loaded")

    monkeypatch.setattr("nearer.encoder.loading.load_sentence_transformer", refuse)
    monkeypatch.setattr("nearer.artifact.store.load_sentence_transformer", refuse)


@dataclass(frozen=True)
class Case:
    """A mistake: options that are changed, files that are written first, what is to be said."""

    name: str
    says: tuple[str, ...]
    files: dict[str, str]
    options: dict[str, Any]


def case(
    name_: str, /, *says: str, files: dict[str, str] | None = None, **options: Any
) -> Case:
    return Case(name_, says, files or {}, options)



PAIRS = "query,document\nred hat,a hat\nblue coat,a coat\n"
NO_EVALUATION = {"query_data": None, "index_data": None, "qrels": None, "limit": None}
QUERIES = '{"id": "q0", "text": "red hat"}\n{"id": "q1", "text": "blue coat"}\n'
CORPUS = '{"id": "d0", "text": "a hat"}\n{"id": "d1", "text": "a coat"}\n'


def evaluation(queries: str = QUERIES, corpus: str = CORPUS, qrels: str = "q0 0 d0 1\n") -> Any:
    """Options and files of an evaluation of two queries."""
    names = {"query_data": "q.jsonl", "index_data": "c.jsonl", "qrels": "r.txt"}
    return {"files": dict(zip(names.values(), (queries, corpus, qrels), strict=True)), **names}


DATA = [
    case("no file", "X", train_data="tran.csv"),
    case("no folder", "X", train_data="nowhere/train.csv"),
    case("a folder", "X", train_data="."),
    case("suffix", "X", train_data="train.xml", files={"train.xml": "<a/>"}),
    case("empty path", "X", train_data=""),
    case("empty file", "X", train_data="t.csv", files={"t.csv": ""}),
    case("header only", "X", train_data="t.csv", files={"t.csv": "query,document\n"}),
    case("header missing", "X", train_data="t.csv", files={"t.csv": "red hat,a hat\nblue coat,a coat\n"}),
    case("unknown column", "X", train_data="t.csv", files={"t.csv": PAIRS}, columns="query=question"),
    case("columns misspelled", "X", columns="qerry=query"),
    case("columns malformed", "X", columns="query"),
    case("unequal columns", "X", train_data="t.csv", files={"t.csv": PAIRS + "red,a,hat\n"}),
    case("column twice", "X", train_data="t.csv", files={"t.csv": "query,query\na,b\n"}),
    case("score", "X", train_data="t.csv", files={"t.csv": "text1,text2,score\nred hat,a hat,0.9\nblue coat,a coat,much\n"}),
    case("one class", "X", train_data="t.csv", files={"t.csv": "text,label\nred hat,hat\nblue hat,hat\n"}),
    case("empty text", "X", train_data="t.csv", files={"t.csv": PAIRS + "green hat,\n"}),
    case("json", "X", train_data="t.jsonl", files={"t.jsonl": '{"query": "a"\n'}),
    case("no picture", "X", train_data="t.csv", files={"t.csv": "image,label\na.png,x\nb.png,y\n"}),
    case("eval_data kind", "X", eval_data="t.csv", files={"t.csv": "text,label\na,x\nb,y\n"}),
    case("val_split", "X", val_split="1.5"),
    case("val_split and eval", "X", val_split="0.1", eval_data="train.csv"),
    case("val_split tiny", "X", train_data="t.csv", files={"t.csv": PAIRS}, val_split="0.01"),
]
EVALUATION = [
    case("no index file", "X", index_data="corpse.jsonl"),
    case("no queries file", "X", query_data="q.jsonl"),
    case("no qrels file", "X", qrels="qrel.tsv"),
    case("index without queries", "X", query_data=None),
    case("qrels ids", "X", **evaluation(qrels="a 0 d0 1\n")),
    case("qrels doc ids", "X", **evaluation(qrels="q0 0 a 1\n")),
    case("nothing relevant", "X", **evaluation(qrels="q0 0 d0 0\n")),
    case("qrels line", "X", **evaluation(qrels="q0 d0\n")),
    case("qrels grade", "X", **evaluation(qrels="q0 0 d0 high\n")),
    case("duplicate ids", "X", **evaluation(corpus=CORPUS + '{"id": "d0", "text": "a hat again"}\n')),
    case("duplicate query ids", "X", **evaluation(queries=QUERIES + '{"id": "q0", "text": "a hat again"}\n')),
    case("empty text in index", "X", **evaluation(corpus=CORPUS + '{"id": "d2", "text": " "}\n')),
    case("no text column", "X", **evaluation(corpus='{"id": "d2", "body": "hat"}\n')),
    case("no labels", "X", qrels=None),
    case("limit", "X", limit="0"),
    case("cutoffs", "X", cutoffs="1,ten"),
    case("cutoff 0", "X", cutoffs="0"),
    case("distance", "X", distance="cosin"),
]
OPTIONS = [
    case("no model", "X", model=None),
    case("unknown model", "X", model="minlm"),
    case("no model folder", "X", model="./models/mine"),
    case("not a model", "X", model="plain", files={"plain/notes.txt": "hello"}),
    case("model is a file", "X", model="t.csv", files={"t.csv": PAIRS}),
    case("both", "X", query_model="minilm"),
    case("one tower", "X", model=None, query_model="minilm"),
    case("no train data", "X", train_data=None),
    case("unknown loss", "X", loss="InfoNEC"),
    case("loss and data", "X", loss="CoSENT"),
    case("loss option", "X", loss_options="temperatur=0.1"),
    case("loss option value", "X", loss_options="temperature=-1"),
    case("unknown optimizer", "X", optimizer="AdmW"),
    case("optimizer option", "X", optimizer_options="beta=1"),
    case("unknown scheduler", "X", scheduler="linera"),
    case("scheduler option", "X", scheduler="StepLR", scheduler_options="step=1"),
    case("monitor", "X", monitor="ndgc_at_k"),
    case("monitor val", "X", monitor="val_loss"),
    case("nothing to monitor", "X", **NO_EVALUATION, patience=2),
    case("keep", "X", **NO_EVALUATION, keep="best"),
    case("keep word", "X", keep="first"),
    case("patience 0", "X", patience=0),
    case("patience word", "X", patience="two"),
    case("min delta", "X", min_delta=-1),
    case("epochs", "X", epochs=0),
    case("epochs 1.5", "X", epochs="1.5"),
    case("rate", "X", learning_rate=-0.1),
    case("rate nan", "X", learning_rate="nan"),
    case("batch", "X", batch_size=1),
    case("warmup", "X", warmup=2),
    case("clip", "X", clip_norm=-1),
    case("wd", "X", weight_decay=-1),
    case("every", "X", evaluate_every="batch"),
    case("every 0", "X", evaluate_every=0),
    case("micro", "X", micro_batch=0),
    case("maxlen", "X", max_length=0),
    case("seed", "X", seed=-1),
    case("device", "X", device="tpu"),
    case("precision", "X", precision="fp8"),
    case("precision fp16", "X", precision="fp16", device="cpu"),
    case("freeze", "X", freeze="backbone"),
    case("freeze word", "X", freeze="everything"),
    case("freeze -1", "X", freeze="-1"),
    case("freeze tower", "X", freeze="query"),
    case("freeze + output 0", "X", output_dim=0),
    case("matryoshka", "X", matryoshka_dims="8,x"),
    case("on_bad_row", "X", on_bad_row="ignore"),
    case("name", "X", name="a/b"),
    case("name dots", "X", name=".."),
    case("experiment", "X", experiment="a/b"),
    case("resume", "X", resume=True),
    case("resume none", "X", resume=True, name="nobody"),
    case("unknown option", "X", epoch=3),
]


@pytest.mark.parametrize("mistake", [*DATA, *EVALUATION, *OPTIONS], ids=lambda c: c.name)
def test_a_mistake_is_said_before_anything_is_loaded_or_written(
    mistake: Case, bench: Bench, no_model: None
) -> None:
    for name, text in mistake.files.items():
        (bench.folder / name).parent.mkdir(exist_ok=True)
        bench.write(name, text)
    ran = bench.fit(**mistake.options)
    with bench.capsys.disabled():
        print("\n=====", mistake.name, ran.code, repr(ran.out), list(bench.folder.glob("runs/*/*")))
        print(ran.err.replace(str(bench.folder) + "/", ""))
