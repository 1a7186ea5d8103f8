"""Bad input through the command line: what is wrong is said, before anything is loaded or written.

One row of the table is one mistake. Each must give exit code 2, a message that names the thing, the
place and the way out, an empty stdout, and nothing on disk; no model may be loaded. In a message,
"[...]" stands for any text.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.cli import Bench, Ran, flags

import nearer


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

    # In this order: the second one is imported here, and must not get to know the first refusal.
    monkeypatch.setattr("nearer.artifact.store.load_sentence_transformer", refuse)
    monkeypatch.setattr("nearer.encoder.loading.load_sentence_transformer", refuse)


def assert_refused(ran: Ran, says: str, bench: Bench) -> None:
    assert ran.code == 2
    assert ran.out == ""
    assert says_so(ran.err, f"error: {says}\n", bench), ran.err
    assert not list(bench.folder.glob("runs/**/*"))


def says_so(text: str, says: str, bench: Bench) -> bool:
    """Whether a text is what is expected, paths being relative to the bench's folder."""
    text = text.replace(f"{bench.folder}/", "")
    first, *rest = says.split("[...]")
    if not rest:
        return text == says
    last, at = rest.pop(), len(first)
    for part in rest:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.startswith(first) and text.endswith(last) and len(text) >= at + len(last)


@dataclass(frozen=True)
class Case:
    """A mistake: what is to be said, files that are written first, options that are changed."""

    name: str
    says: str
    files: dict[str, str]
    options: dict[str, Any]


def case(name_: str, says: str, /, *, files: dict[str, str] | None = None, **options: Any) -> Case:
    return Case(name_, says, files or {}, options)


def train(text: str, name: str = "t.csv") -> Any:
    """Options and files of training data."""
    return {"files": {name: text}, "train_data": name}


def evaluation(queries: str = "", corpus: str = "", qrels: str = "q0 0 d0 1\n") -> Any:
    """Options and files of an evaluation of two queries; lines are added to those there are."""
    queries = '{"id": "q0", "text": "red hat"}\n{"id": "q1", "text": "blue coat"}\n' + queries
    corpus = '{"id": "d0", "text": "a hat"}\n{"id": "d1", "text": "a coat"}\n' + corpus
    names = {"query_data": "q.jsonl", "index_data": "c.jsonl", "qrels": "r.txt"}
    return {"files": dict(zip(names.values(), (queries, corpus, qrels), strict=True)), **names}


PAIRS = "query,document\nred hat,a hat\nblue coat,a coat\n"
MEND = '\n  Mend them, or leave them out with on_bad_row="skip".'
NO_EVALUATION = {"query_data": None, "index_data": None, "qrels": None, "limit": None}
METRICS = (
    "average_precision, dcg_at_k, f1_score_at_k, hit_at_k, ndcg_at_k, precision_at_k, r_precision, "
    "recall_at_k, reciprocal_rank"
)
FOLDER_NAME = 'cannot name a folder; use letters, digits, "-" and "_"'

DATA = [
    case(
        "no file",
        'tran.csv: no such file. Did you mean "train.csv"?',
        train_data="tran.csv",
    ),
    case(
        "no folder",
        "nowhere/train.csv: no such file; there is no folder nowhere.",
        train_data="nowhere/train.csv",
    ),
    case(
        "a folder",
        '.: this is a folder; give a file. It holds "corpus.jsonl", [...]"train.csv".',
        train_data=".",
    ),
    case(
        "a suffix that is not read",
        't.xml: files that end in ".xml" are not read. Read are .csv, .tsv (also .gz), [...]',
        **train("<a/>", "t.xml"),
    ),
    case("no path", "train_data: is empty; give a file, a folder or rows", train_data=""),
    case("empty file", "t.csv: the file is empty.", **train("")),
    case("no rows", "t.csv: there is a header line, but no row.", **train("query,document\n")),
    case(
        "header missing",
        't.csv: the columns "red hat", "a hat" are no training data that is known.\n'
        "  Known are: query,document[,negative…] · [...]\n"
        '  If yours have other names, say which is which: columns={"query": "red hat", [...]\n'
        "  The first line of the file is taken for its header, and a header is needed. It is:\n"
        "    red hat,a hat\n"
        "  If that is data, put a line with the names of the columns before it.",
        **train("red hat,a hat\nblue coat,a coat\n"),
    ),
    case(
        "unknown column",
        't.csv: no column "question" (given for query). Columns are "query", "document".',
        columns="query=question",
        **train(PAIRS),
    ),
    case(
        "unknown name of ours",
        'columns: "qerry" is none of the names that have a meaning here (query, document, [...]). '
        'Did you mean "query"? Write our name first, then yours: columns={"query": "q"}.',
        columns="qerry=query",
    ),
    case("columns without =", "columns: 'query'; must be name=value,name=value", columns="query"),
    case(
        "unequal columns",
        "t.csv: 1 line has another number of columns than the header:\n"
        "  line 4: 3 found, 2 expected\n[...]",
        **train(PAIRS + "red,a,hat\n"),
    ),
    case(
        "column twice",
        't.csv, line 1: "query" stands more than once in the header ("query", "query"). '
        "Give every column a name of its own.",
        **train("query,query\na,b\n"),
    ),
    case(
        "score that is no number",
        't.csv: 1 of 2 rows cannot be used:\n  line 3, column "score": "much" is not a finite '
        "number" + MEND,
        **train("text1,text2,score\nred hat,a hat,0.9\nblue coat,a coat,much\n"),
    ),
    case(
        "one class only",
        't.csv, column "label": all rows have the label "hat"; learning from labels takes two '
        "classes or more.",
        **train("text,label\nred hat,hat\nblue hat,hat\n"),
    ),
    case(
        "empty text",
        't.csv: 1 of 3 rows cannot be used:\n  line 4, column "document": empty text' + MEND,
        **train(PAIRS + "green hat,\n"),
    ),
    case(
        "no JSON",
        "t.jsonl: lines that cannot be read:\n  line 1, character 1: no valid JSON[...]",
        **train('{"query": "a"\n', "t.jsonl"),
    ),
    case(
        "no picture",
        't.csv: 2 of 2 rows cannot be used:\n  line 2, column "image": no such file: a.png\n'
        '  line 3, column "image": no such file: b.png' + MEND,
        **train("image,label\na.png,x\nb.png,y\n"),
    ),
    case(
        "eval_data of another kind",
        "eval_data: holds labelled, but train_data pairs",
        files={"e.csv": "text,label\na,x\nb,y\n"},
        eval_data="e.csv",
    ),
    case(
        "split that leaves nothing",
        "val_split: the 2 rows of t.csv cannot be split: [...] Give held-out rows as eval_data.",
        val_split="0.5",
        **train("query,document\nred hat,a hat\nred hat,a coat\n"),
    ),
    case("val_split", "val_split: '1.5'; must be less than 1.0", val_split="1.5"),
    case(
        "val_split and eval_data",
        "val_split: eval_data is given already; give one of the two",
        val_split="0.1",
        eval_data="train.csv",
    ),
]
EVALUATION = [
    case(
        "no index file",
        'corpse.jsonl: no such file. Did you mean "corpus.jsonl"?',
        index_data="corpse.jsonl",
    ),
    case("no queries file", 'q.jsonl: no such file.[...]"queries.jsonl"?', query_data="q.jsonl"),
    case("no qrels file", 'qrel.tsv: no such file.[...]"qrels.tsv"?', qrels="qrel.tsv"),
    case(
        "index without queries",
        "3 faults:\n  - index_data: needs query_data, the queries to evaluate with\n"
        "  - qrels: needs query_data, the queries to evaluate with\n"
        "  - limit: needs query_data, the queries to evaluate with",
        query_data=None,
    ),
    case(
        "qrels of other queries",
        "r.txt: no judgment fits: none of its query ids is in q.jsonl. Its first is "
        '"a", there it is "q0". Ids must be equal, character by character.',
        **evaluation(qrels="a 0 d0 1\n"),
    ),
    case(
        "qrels of other documents",
        "r.txt: no judgment fits: none of its document ids is in c.jsonl. Its first is "
        '"a", there it is "d0". Ids must be equal, character by character.',
        **evaluation(qrels="q0 0 a 1\n"),
    ),
    case(
        "qrels line",
        "r.txt: lines that cannot be read:\n  line 1: 2 fields: q0 d0\n  A line is [...]",
        **evaluation(qrels="q0 d0\n"),
    ),
    case(
        "qrels grade",
        'r.txt: lines that cannot be read:\n  line 1: the grade "high" is no whole number\n[...]',
        **evaluation(qrels="q0 0 d0 high\n"),
    ),
    case(
        "duplicate ids in the index",
        'c.jsonl, column "id": 1 id stands on more than one row:\n  "d0" on line 1 and line 3\n'
        "  Every row needs an id of its own.",
        **evaluation(corpus='{"id": "d0", "text": "a hat again"}\n'),
    ),
    case(
        "duplicate ids of queries",
        'q.jsonl, column "id": 1 id stands on more than one row:\n  "q1" on line 2 and line 3\n'
        "  Every row needs an id of its own.",
        **evaluation(queries='{"id": "q1", "text": "a hat again"}\n'),
    ),
    case(
        "empty text in the index",
        'c.jsonl: 1 of 3 rows cannot be used:\n  line 3, column "text": empty text' + MEND,
        **evaluation(corpus='{"id": "d2", "text": " "}\n'),
    ),
    case(
        "no text in the index",
        'c.jsonl (index data): no column "text" or "image" among "id", "body". Say which it is: '
        'columns={"text": "id"}.',
        files={"c.jsonl": '{"id": "d2", "body": "hat"}\n'},
        index_data="c.jsonl",
    ),
    case(
        "neither labels nor qrels",
        'queries.jsonl and corpus.jsonl [...] no column "label", and there are no judgments; give '
        "qrels, or a label on both sides",
        qrels=None,
    ),
    case("limit", "limit: '0'; must be at least 1", limit=0),
    case("cutoffs", "cutoffs: '1,ten'; must be whole numbers such as 1,10", cutoffs="1,ten"),
    case("cutoff 0", "cutoffs: 0; must be at least 1", cutoffs="0"),
    case(
        "distance",
        "distance: 'cosin'; must be 'cosine', 'dot' or 'euclidean'",
        distance="cosin",
    ),
]
MODEL = [
    case(
        "no model",
        "model: missing; a catalog name (see `nearer models`), a hub id or a folder",
        model=None,
    ),
    case(
        "unknown model",
        'no model "minlm": not a folder, and not in the catalog (minilm, [...]). A hub id has the '
        'form owner/name. Did you mean "minilm"?',
        model="minlm",
    ),
    case("no model folder", 'no model "./mine": not a folder, and [...]', model="./mine"),
    case(
        "folder that is no model",
        '"plain" holds no model: there is no modules.json or config.json or adapter_config.json '
        "in it; give the folder that save_pretrained wrote, or an artifact",
        model="plain",
        files={"plain/notes.txt": "hello"},
    ),
    case("file that is no model", 'no model "t.csv": [...]', model="t.csv", files={"t.csv": "a"}),
    case(
        "model and towers",
        "model: give either model, or query_model and index_model",
        query_model="minilm",
        index_model="minilm",
    ),
    case(
        "one tower",
        "query_model and index_model go together; one of them is missing",
        model=None,
        query_model="minilm",
    ),
    case(
        "freeze without a head",
        "freeze: backbone leaves nothing to train; add a head with output_dim",
        freeze="backbone",
    ),
    case(
        "freeze a tower that is not there",
        'freeze: "query" is a tower; it needs query_model and index_model',
        freeze="query",
    ),
    case(
        "freeze",
        "freeze: 'everything'; must be backbone, query, index, or a number of layers",
        freeze="everything",
    ),
    case(
        "freeze -1",
        "freeze: '-1'; must be backbone, query, index, or a number of layers",
        freeze=-1,
    ),
    case("output_dim", "output_dim: '0'; must be at least 1", output_dim=0),
    case("max_length", "max_length: '0'; must be at least 1", max_length=0),
    case("device", 'device: "tpu" is not available here; there are auto, cpu[...]', device="tpu"),
    case(
        "precision",
        "precision: 'fp8'; must be 'auto', 'fp32', 'bf16' or 'fp16'",
        precision="fp8",
    ),
]
TRAINING = [
    case("no train_data", "train_data: missing; file, folder, [...]", train_data=None),
    case(
        "unknown loss",
        'no loss "InfoNEC"; there are InfoNCE, [...] Did you mean "InfoNCE"?',
        loss="InfoNEC",
    ),
    case(
        "loss for other data",
        "loss CoSENT needs scores, which pairs data does not have; for this data take InfoNCE, "
        "Triplet",
        loss="CoSENT",
    ),
    case(
        "loss option",
        'loss InfoNCE has no option "temperatur"; it takes temperature, [...]. Did you mean '
        '"temperature"?',
        loss_options="temperatur=0.1",
    ),
    case(
        "value of a loss option",
        "loss InfoNCE: temperature must be a number above 0, not -1",
        loss_options="temperature=-1",
    ),
    case(
        "unknown optimizer",
        'no optimizer "AdmW"; there are [...] Did you mean "AdamW"?',
        optimizer="AdmW",
    ),
    case(
        "optimizer option",
        'AdamW has no option "beta"; it takes betas, eps, [...]. Did you mean "betas"?',
        optimizer_options="beta=1",
    ),
    case(
        "value of an optimizer option",
        "AdamW, linear: Invalid epsilon value: -1",
        optimizer_options="eps=-1",
    ),
    case(
        "unknown scheduler",
        'no scheduler "linera"; there are linear, [...] Did you mean "linear"?',
        scheduler="linera",
    ),
    case(
        "scheduler option",
        '2 faults:\n  - StepLR has no option "step"; it takes step_size, gamma. Did you mean '
        '"step_size"?\n  - StepLR needs the option "step_size"',
        scheduler="StepLR",
        scheduler_options="step=1",
    ),
    case(
        "scheduler without its option",
        'StepLR needs the option "step_size"',
        scheduler="StepLR",
    ),
    case(
        "monitor that nobody reports",
        f'EarlyStopping watches "ndgc_at_k"; this run reports {METRICS}, train_loss. Did you mean '
        '"ndcg_at_k"?',
        monitor="ndgc_at_k",
    ),
    case(
        "val_loss without held-out rows",
        f'EarlyStopping watches "val_loss"; this run reports {METRICS}, train_loss. val_loss needs '
        "held-out rows: give eval_data or val_split.",
        monitor="val_loss",
    ),
    case(
        "nothing to monitor",
        'EarlyStopping watches "val_loss"; this run reports train_loss. val_loss needs held-out '
        "rows: give eval_data or val_split.",
        patience=2,
        **NO_EVALUATION,
    ),
    case(
        "nothing to keep the best by",
        "keep: best needs something to judge by: query_data, eval_data or val_split",
        keep="best",
        **NO_EVALUATION,
    ),
    case("keep", "keep: 'first'; must be 'best' or 'last'", keep="first"),
    case("patience 0", "patience: '0'; must be at least 1", patience=0),
    case("patience in words", "patience: 'two'; must be a whole number", patience="two"),
    case("min_delta", "min_delta: '-1'; must be at least 0.0", min_delta=-1),
    case("epochs 0", "epochs: '0'; must be at least 1", epochs=0),
    case("epochs 1.5", "epochs: '1.5'; must be a whole number", epochs=1.5),
    case("learning_rate", "learning_rate: '-0.1'; must be more than 0.0", learning_rate=-0.1),
    case("batch_size", "batch_size: '1'; must be at least 2", batch_size=1),
    case("micro_batch", "micro_batch: '0'; must be at least 1", micro_batch=0),
    case(
        "training_memory",
        'training_memory: \'much\'; give a number of bytes with a unit, like "512MiB" or "1GiB"',
        training_memory="much",
    ),
    case("warmup", "warmup: '2'; must be at most 1.0", warmup=2),
    case("clip_norm", "clip_norm: '-1'; must be at least 0.0", clip_norm=-1),
    case("weight_decay", "weight_decay: '-1'; must be at least 0.0", weight_decay=-1),
    case(
        "evaluate_every",
        "evaluate_every: '0'; must be epoch, or a number of steps of at least 1",
        evaluate_every=0,
    ),
    case(
        "matryoshka_dims",
        "matryoshka_dims: '8,x'; must be whole numbers such as 1,10",
        matryoshka_dims="8,x",
    ),
    case("on_bad_row", "on_bad_row: 'ignore'; must be 'error' or 'skip'", on_bad_row="ignore"),
    case("seed", "seed: '-1'; must be at least 0", seed=-1),
    case("name", f'name: "a/b" {FOLDER_NAME}', name="a/b"),
    case("name of dots", f'name: ".." {FOLDER_NAME}', name=".."),
    case("experiment", f'experiment: "a/b" {FOLDER_NAME}', experiment="a/b"),
    case("resume without name", "resume: needs name, the run to go on with", resume=True),
    case("resume nobody", 'no run "nobody" in runs.', resume=True, name="nobody"),
    case("unknown option", "Unknown option: --epoch. Did you mean --epochs?", epoch=3),
    case(
        "several at once",
        "4 faults:\n  - patience: '0'; must be at least 1\n  - epochs: '0'; must be at least 1\n"
        "  - learning_rate: '-1'; must be more than 0.0\n"
        "  - resume: needs name, the run to go on with",
        epochs=0,
        learning_rate=-1,
        patience=0,
        resume=True,
    ),
    case(
        "several at the door",
        '5 faults:\n  - tran.csv: no such file.[...]\n  - no model "minlm"[...]\n'
        "  - corpse.jsonl: no such file.[...]\n"
        '  - no optimizer "AdmW"[...]\n  - no loss "InfoNEC"[...]',
        train_data="tran.csv",
        model="minlm",
        index_data="corpse.jsonl",
        optimizer="AdmW",
        loss="InfoNEC",
    ),
]


@pytest.mark.parametrize("mistake", [*DATA, *EVALUATION, *MODEL, *TRAINING], ids=lambda c: c.name)
def test_a_mistake_is_said_before_anything_is_loaded_or_written(
    mistake: Case, bench: Bench, no_model: None
) -> None:
    for name, text in mistake.files.items():
        (bench.folder / name).parent.mkdir(exist_ok=True)
        bench.write(name, text)
    assert_refused(bench.fit(**mistake.options), mistake.says, bench)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epochs = \n", "spec.toml is not a spec file: Invalid value (at line 1, column 10)"),
        ("epoch = 3\n", 'epoch: no such option. Did you mean "epochs"?'),
        (
            '[[callbacks]]\nname = "EarlyStoping"\n',
            'no callback "EarlyStoping"; there are BestModelCheckpoint, [...]; one of your own is '
            'package.module:Class. Did you mean "EarlyStopping"?',
        ),
        (
            '[[callbacks]]\nname = "EarlyStopping"\npatiance = 2\n',
            'EarlyStopping has no option "patiance"; it takes monitor, mode, patience, [...]. '
            'Did you mean "patience"?',
        ),
        (
            '[[callbacks]]\nname = "EarlyStopping"\npatience = 0\nmin_delta = -1\n',
            "2 faults:\n  - EarlyStopping.patience: 0; must be at least 1\n"
            "  - EarlyStopping.min_delta: -1; must be at least 0",
        ),
        (
            '[[callbacks]]\nname = "EarlyStopping"\npatience = "two"\n',
            "EarlyStopping cannot be built with patience='two': [...]",
        ),
        ("[[callbacks]]\npatience = 2\n", "callbacks: {'patience': 2} is neither a Callback [...]"),
        ('callbacks = "EarlyStopping"\n', "callbacks: 'EarlyStopping'; must be a list"),
        ("[callbacks]\nname = 'EarlyStopping'\n", "callbacks: {[...]}; must be a list"),
        (
            '[[callbacks]]\nname = "EvaluationCallback"\n',
            "EvaluationCallback: missing a required argument: 'query_data'",
        ),
        (
            '[[callbacks]]\nname = "nowhere.at_all:Class"\n',
            "callback \"nowhere.at_all:Class\" cannot be imported: No module named 'nowhere'",
        ),
        ('[[callbacks]]\nname = "json:JSONDecoder"\n', '"json:JSONDecoder" is not a Callback'),
        (
            f'[[callbacks]]\nname = "{__name__}:Sulky"\nmod = "worse"\n',
            'Sulky has no option "mod"; it takes mood. Did you mean "mood"?',
        ),
        (
            'patience = 2\n[[callbacks]]\nname = "EarlyStopping"\n',
            "patience: there is an EarlyStopping among the callbacks; give them to it",
        ),
        (
            '[[callbacks]]\nname = "EarlyStopping"\n[[callbacks]]\nname = "BestModelCheckpoint"\n'
            'monitor = "recall_at_k"\n',
            "keep: several callbacks would hand back the best, by different metrics (ndcg_at_k, "
            "recall_at_k); set restore_best=False for all but one",
        ),
        (
            '[[callbacks]]\nname = "EvaluationCallback"\nquery_data = "queries.jsonl"\n'
            'index_data = "corpus.jsonl"\nqrels = "qrels.tsv"\n',
            '[...]metric "tiny-bert_ndcg_at_k" is reported by two callbacks; give one of them '
            'another name (name="…")[...]',
        ),
        (
            '[[callbacks]]\nname = "Tracker"\n',
            "Tracker: missing a required argument: 'service'",
        ),
    ],
)
def test_a_mistake_in_a_spec_file(text: str, says: str, bench: Bench, no_model: None) -> None:
    spec = bench.write("spec.toml", text)
    assert_refused(bench.run("fit", spec, *flags(bench.options(epochs=None))), says, bench)


def test_a_spec_file_that_is_not_there(bench: Bench, no_model: None) -> None:
    assert_refused(bench.run("fit", "spec.toml"), "no spec file spec.toml", bench)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_length": 33}, "max_length: 33; the model takes at most 32"),
        ({"freeze": 3}, "freeze: 3; the model has 2 layers that can be frozen"),
        ({"matryoshka_dims": "64"}, "[...]64[...]32[...]"),
        (
            {"precision": "fp16", "device": "cpu"},
            "precision: fp16 needs a GPU; [...]",
        ),
    ],
)
def test_what_only_the_model_can_tell_leaves_nothing_behind(
    options: dict[str, Any], says: str, bench: Bench
) -> None:
    ran = bench.fit(**options)
    ran = Ran(ran.code, ran.out, ran.err[ran.err.index("error: ") :])
    assert_refused(ran, says, bench)


def test_a_damaged_model_is_named(bench: Bench) -> None:
    broken = bench.folder / "broken"
    broken.mkdir()
    (broken / "modules.json").write_text("no JSON")
    ran = bench.fit(model=broken)
    assert (ran.code, ran.out) == (2, "")
    assert f'error: cannot load the model "{broken}": ' in ran.err
    assert not list(bench.folder.glob("runs/**/*"))


def test_a_name_that_is_taken(bench: Bench, no_model: None) -> None:
    taken = bench.runs / "default" / "mine"
    taken.mkdir(parents=True)
    (taken / "run.json").write_text("{}")
    ran = bench.fit(name="mine")
    assert ran.code == 2
    assert says_so(
        ran.err,
        'error: run "mine" exists in experiment "default" (runs/default/mine); choose another '
        "name, or go on with it: resume\n",
        bench,
    )
    assert [p.name for p in bench.runs.rglob("*")] == ["default", "mine", "run.json"]
    assert (taken / "run.json").read_text() == "{}"


@pytest.mark.parametrize("where", ["runs", "runs/default"])
def test_a_file_in_place_of_the_runs_folder(where: str, bench: Bench, no_model: None) -> None:
    path = bench.folder / where
    path.parent.mkdir(exist_ok=True)
    path.write_text("not a folder")
    ran = bench.fit()
    assert ran.code == 2
    assert ran.err.startswith(f"error: cannot write to {bench.runs}: ")
    assert ran.err.endswith("; choose another runs_dir\n")
    assert path.read_text() == "not a folder"


def test_a_runs_folder_that_cannot_be_written(
    bench: Bench, no_model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    ran = bench.fit()
    assert ran.code == 2
    says = "error: cannot write to runs: Permission denied; choose another runs_dir\n"
    assert says_so(ran.err, says, bench)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["frobnicate"], "[...]frobnicate[...]"),
        (["evaluate", "MODEL"], "[...]--query-data[...]"),
        (["evaluate", "MODEL", "--query-data", "q.jsonl"], "q.jsonl: no such file.[...]"),
        (
            ["evaluate", "MODEL", "--query-data", "q", "--limit", "0", "--cutoffs", "a"],
            "2 faults:\n  - cutoffs: 'a'; must be whole numbers such as 1,10\n"
            "  - limit: 0; must be at least 1",
        ),
        (["evaluate", "MODEL", "--query-data", "q", "--limit", "ten"], "[...]limit[...]ten[...]"),
        (["encode", "MODEL", "train.csv", "-o", "x.txt"], "output: x.txt; must end in .npy"),
        (["encode", "MODEL", "train.csv", "-o", "no/x.npy"], "output: no folder no"),
        (["encode", "MODEL", "gone.csv", "-o", "x.npy"], "gone.csv: no such file.[...]"),
        (["models", "text-to-sound"], "[...]text-to-sound[...]"),
        (["runs", "show", "nobody"], 'no run "nobody" in runs.'),
        (["runs", "logs", "nobody", "--experiment", "e"], '[...]experiment "e" of runs.'),
        (["loop", "gone.toml"], "no spec file gone.toml"),
    ],
)
def test_mistakes_of_other_commands(
    words: list[str], says: str, bench: Bench, no_model: None
) -> None:
    model = str(bench.model)
    assert_refused(bench.run(*(model if w == "MODEL" else w for w in words)), says, bench)
    assert not list(bench.folder.glob("*.npy"))


@pytest.mark.parametrize(
    ("options", "warns"),
    [
        ({"limit": 20}, "limit is 20, but the index has 15 rows; all are ranked"),
        (
            {"batch_size": 64},
            "batch_size 64 is more than the 30 rows of train.csv; all rows stand in one batch.",
        ),
        (
            evaluation(),
            "nothing in the index is relevant to 1 of 2 queries; they count 0 in every mean",
        ),
        (
            evaluation(qrels="q0 0 d0 1\nq1 0 d1 1\nq1 0 gone 1\nq7 0 d1 1\n"),
            "r.txt judges 1 documents that are not in the index; they do not count",
        ),
        (
            {**train(PAIRS + "green hat,\n"), "on_bad_row": "skip"},
            't.csv: 1 rows left out; line 4, column "document": empty text',
        ),
    ],
)
def test_what_can_still_be_right_is_warned_about(
    options: dict[str, Any], warns: str, bench: Bench
) -> None:
    for name, text in options.get("files", {}).items():
        bench.write(name, text)
    changed = {name: value for name, value in options.items() if name != "files"}
    ran = bench.fit(epochs=1, **changed)
    assert ran.code == 0
    err = ran.err.replace(f"{bench.folder}/", "")
    assert [line for line in err.splitlines() if line.endswith(f"WARNING  {warns}")], err
