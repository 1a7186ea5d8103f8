from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearer.artifact.manifest import Manifest
from nearer.artifact.store import save_artifact
from nearer.encoder.loading import EncoderOptions, load_towers
from nearer.errors import DataError, SpecError
from nearer.run.faults import misfits
from nearer.run.pairs import numbers, pairs, values
from nearer.run.spec import RunSpec, parse, runs_folder
from nearer.run.spec_file import read_spec_file

NEEDED = {"model": "minilm", "train_data": "train.csv"}


def faults(**options: Any) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        parse({**NEEDED, **options})
    return caught.value.faults


def test_the_least_that_is_needed() -> None:
    spec = parse(NEEDED)
    assert (spec.epochs, spec.batch_size, spec.limit, spec.seed) == (5, 64, 20, 42)
    assert spec.experiment == "default"
    assert not spec.early_stopping


def test_what_is_missing() -> None:
    with pytest.raises(SpecError) as caught:
        parse({})
    assert caught.value.faults == (
        "train_data: missing; file, folder, Dataset, DataFrame or list of dicts.",
        "model: missing; a catalog name (see `nearer models`), a hub id or a folder",
    )


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("epochs", 0, "epochs: 0; must be at least 1"),
        ("epochs", 1.5, "epochs: 1.5; must be a whole number"),
        ("epochs", "many", "epochs: 'many'; must be a whole number"),
        ("epochs", None, "epochs: None; must be a whole number"),
        ("epochs", [1], "epochs: [1]; must be a whole number"),
        ("batch_size", 1, "batch_size: 1; must be at least 2"),
        ("items_per_class", 1, "items_per_class: 1; must be at least 2"),
        ("learning_rate", 0, "learning_rate: 0; must be more than 0.0"),
        ("learning_rate", 1, "learning_rate: 1; must be less than 1.0"),
        ("learning_rate", "fast", "learning_rate: 'fast'; must be a number"),
        ("learning_rate", [], "learning_rate: []; must be a number"),
        ("val_split", 1, "val_split: 1; must be less than 1.0"),
        ("warmup", 1.1, "warmup: 1.1; must be at most 1.0"),
        ("keep", "first", "keep: 'first'; must be 'best' or 'last'"),
        ("evaluate_every", 0, "evaluate_every: 0; must be epoch, or a number of steps [...]"),
        ("freeze", "all", "freeze: 'all'; must be backbone, query, index, or a number of layers"),
        ("freeze", -1, "freeze: -1; must be backbone, query, index, or a number of layers"),
        ("loss", 3, "loss: 3; must be text"),
        ("cutoffs", "1,x", "cutoffs: '1,x'; must be whole numbers such as 1,10"),
        ("cutoffs", 3, "cutoffs: 3; must be a list"),
        ("columns", "query", "columns: 'query'; must be name=value,name=value"),
        ("columns", 3, "columns: 3; must be names with values"),
        ("loss_options", "a", "loss_options: 'a'; must be name=value,name=value"),
        ("resume", "perhaps", "resume: 'perhaps'; must be true or false"),
        ("seed", 2**32, "seed: 4294967296; must be less than 4294967296"),
        ("epoch", 3, 'epoch: no such option. Did you mean "epochs"?'),
        ("zzz", 3, "zzz: no such option."),
        ("train_data", " ", "train_data: is empty; give a file, a folder or rows"),
        ("query_model", "a", "model: give either model, or query_model and index_model"),
        ("freeze", "backbone", "freeze: backbone leaves nothing to train; [...]"),
        ("freeze", "index", 'freeze: "index" is a tower; it needs query_model and index_model'),
        ("qrels", "q.tsv", "qrels: needs query_data, the queries to evaluate with"),
        ("resume", True, "resume: needs name, the run to go on with"),
        ("runs_dir", 3, "runs_dir: 3; must be text"),
        ("lora", "many", "lora: rank 'many'; must be a whole number, at least 1"),
        ("lora", 0, "lora: rank 0; must be a whole number, at least 1"),
        ("lora", [8], "lora: rank [8]; must be a whole number, at least 1"),
        ("lora", "rnk=8", 'lora: has no "rnk"; there are rank, alpha, dropout, targets, merge.'),
        ("frozen_cache", "big", "frozen_cache: 'big'; give a number of bytes with a unit[...]"),
        ("compile", "perhaps", "compile: 'perhaps'; must be true or false"),
        ("shard", "perhaps", "shard: 'perhaps'; must be true or false"),
    ],
)  # fmt: skip
def test_every_fault_is_in_our_words(option: str, value: Any, says: str) -> None:
    found = faults(**{option: value})
    assert any(fault.startswith(says.removesuffix("[...]")) for fault in found), found
    assert all(fault.startswith(option) or option == "query_model" for fault in found)


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\\b", "a:b", "a*", "a\0", "?"])
def test_names_that_cannot_name_a_folder(name: str) -> None:
    shown = name.replace("\0", "\\x00")
    says = f'"{shown}" cannot name a folder; use letters, digits, "-" and "_"'
    assert faults(name=name) == (f"name: {says}",)
    assert faults(experiment=name) == (f"experiment: {says}",)


@pytest.mark.parametrize("name", ["a", "v1.2.0", "keen-otter", "a b", "été", "a..b"])
def test_names_that_can(name: str) -> None:
    assert parse({**NEEDED, "name": name, "experiment": name}).name == name


def test_all_faults_come_at_once_and_each_once() -> None:
    assert faults(epochs=0, loss=1, model=None, query_model="a", limit=0) == (
        "limit: 0; must be at least 1",
        "epochs: 0; must be at least 1",
        "loss: 1; must be text",
        "query_model and index_model go together; one of them is missing",
        "limit: needs query_data, the queries to evaluate with",
    )


def test_text_from_a_command_line_means_the_same_as_values() -> None:
    text = {
        "epochs": "3",
        "learning_rate": "1e-4",
        "cutoffs": "1, 10",
        "columns": "query=q,document=d",
        "loss_options": "temperature=0.1,symmetric=true,similarity=dot",
        "evaluate_every": "50",
        "freeze": "2",
        "frozen_cache": "0",
        "query_data": "q.jsonl",
    }
    values_ = {
        "epochs": 3,
        "learning_rate": 1e-4,
        "cutoffs": [1, 10],
        "columns": {"query": "q", "document": "d"},
        "loss_options": {"temperature": 0.1, "symmetric": True, "similarity": "dot"},
        "evaluate_every": 50,
        "freeze": 2,
        "frozen_cache": "0",
        "query_data": "q.jsonl",
    }
    assert parse({**NEEDED, **text}) == parse({**NEEDED, **values_})


def test_adapters_as_text() -> None:
    assert parse({**NEEDED, "lora": "8"}).lora == 8
    table = {"rank": 8, "merge": False}
    assert parse({**NEEDED, "lora": "rank=8,merge=false"}).lora == table
    assert parse({**NEEDED, "lora": table}).lora == table
    (said,) = faults(lora=8, freeze=2)
    assert said == "freeze: with lora all that came is frozen already; leave freeze out"


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse(NEEDED).epochs = 3  # type: ignore[misc]


def test_every_option_says_what_it_means() -> None:
    assert all(field.description for field in RunSpec.model_fields.values())


def test_where_runs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARER_RUNS", raising=False)
    assert runs_folder() == tmp_path / "runs"
    monkeypatch.setenv("NEARER_RUNS", "elsewhere")
    assert runs_folder() == tmp_path / "elsewhere"
    assert runs_folder("/given") == Path("/given")
    assert parse({**NEEDED, "runs_dir": tmp_path}).runs_folder == tmp_path


def test_a_spec_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    spec = tmp_path / "spec.toml"
    spec.write_text(
        'model = "model"\ntrain_data = "t.csv"\neval_data = "/abs/e.csv"\nquery_data = "~/q"\n'
        'name = "model"\n[[callbacks]]\nname = "EvaluationCallback"\nquery_data = "q.jsonl"\n'
        "[columns]\nquery = 'q'\n"
    )
    monkeypatch.setenv("HOME", "/home/me")
    options = read_spec_file(spec)
    assert options["model"] == str(tmp_path / "model")
    assert options["train_data"] == str(tmp_path / "t.csv")
    assert options["eval_data"] == "/abs/e.csv"
    assert options["query_data"] == "/home/me/q"
    assert options["name"] == "model"
    assert options["callbacks"][0]["query_data"] == str(tmp_path / "q.jsonl")
    assert options["columns"] == {"query": "q"}


@pytest.mark.parametrize("content", [b"epochs = ", b"\xff\xfe", b"[a", b"a = 1\na = 2"])
def test_a_file_that_is_no_spec(content: bytes, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_bytes(content)
    with pytest.raises(DataError, match=r"spec\.toml is not a spec file: "):
        read_spec_file(spec)
    with pytest.raises(DataError, match="is not a spec file: "):
        read_spec_file(tmp_path)


NAMES = st.text("abcdefghij_", min_size=1)


@given(st.lists(st.integers()))
def test_numbers(given_: list[int]) -> None:
    assert numbers(", ".join(map(str, given_))) == tuple(given_)


@given(st.dictionaries(NAMES, st.text("abc 1.5", min_size=1).filter(str.strip), min_size=1))
def test_pairs(given_: dict[str, str]) -> None:
    text = ",".join(f"{name} = {value}" for name, value in given_.items())
    assert pairs(text) == {name: value.strip() for name, value in given_.items()}


@given(st.dictionaries(NAMES, st.booleans() | st.integers() | st.floats(-9, 9), min_size=1))
def test_values(given_: dict[str, Any]) -> None:
    text = ",".join(f"{name}={str(value).lower()}" for name, value in given_.items())
    assert values(text) == given_


@pytest.mark.parametrize("text", ["", "a", "a=", "=b", "a=b,", "a=b,c"])
def test_what_are_no_pairs(text: str) -> None:
    with pytest.raises(ValueError, match="must be name=value,name=value"):
        pairs(text)


def test_a_value_may_hold_an_equals_sign() -> None:
    assert pairs("query=a=b") == {"query": "a=b"}


def test_a_tower_of_an_artifact_can_be_frozen(tiny_bert: Path, tmp_path: Path) -> None:
    towers = load_towers(str(tiny_bert), str(tiny_bert), EncoderOptions(output_dim=8))
    save_artifact(towers, tmp_path / "a", Manifest("towers", "mine", "tiny", 8))
    asked = {"train_data": "x", "freeze": "query"}
    assert misfits({**asked, "model": str(tmp_path / "a")}) == []
    assert misfits({**asked, "model": str(tiny_bert)}) == [
        'freeze: "query" is a tower; it needs query_model and index_model'
    ]
