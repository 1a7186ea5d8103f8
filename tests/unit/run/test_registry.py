import inspect
import json
from pathlib import Path
from typing import Any

import pytest

import nearer
from nearer.callbacks import EarlyStopping, EvaluationCallback, LambdaCallback, ProgressBar
from nearer.errors import SpecError, UnknownName
from nearer.run.registry import build_callback, callback_names, callbacks_heard, describe_callback
from nearer.run.spec import parse
from nearer.run.spec_json import lost, spec_to_json

OPTIONS: dict[str, dict[str, Any]] = {
    "BestModelCheckpoint": {"monitor": "recall_at_k", "mode": "max"},
    "CSVLogger": {"filename": "m.csv", "separator": ";"},
    "EarlyStopping": {"monitor": "val_loss", "patience": 3, "min_delta": 0.5, "baseline": 0.1},
    "EvaluationCallback": {
        "query_data": "q.jsonl",
        "index_data": "c.jsonl",
        "qrels": "r.tsv",
        "evaluation_name": "toy",
        "limit": 7,
        "cutoffs": (1, 5),
        "definitions": "docarray",
        "columns": {"text": "body"},
        "on_bad_row": "skip",
    },
    "ProgressBar": {},
    "Tracker": {"service": "tensorboard", "every": 5},
}
"""Options of every shipped callback that a spec can name."""


class Mine(nearer.Callback):
    def __init__(self, mood: str = "good") -> None:
        self.mood = mood


def test_every_shipped_callback_is_here() -> None:
    # Functions cannot be written in a spec.
    assert set(callback_names()) - {"LambdaCallback"} >= set(OPTIONS)


@pytest.mark.parametrize("name", [n for n in callback_names() if n != "LambdaCallback"])
def test_every_callback_keeps_its_arguments_under_their_names(name: str) -> None:
    cls = type(build_callback({"name": name, **OPTIONS.get(name, {})}))
    built = build_callback({"name": name, **OPTIONS.get(name, {})})
    missing = [p for p in inspect.signature(cls).parameters if p not in vars(built)]
    assert not missing


@pytest.mark.parametrize("name", sorted(set(callback_names()) - {"LambdaCallback", "ProgressBar"}))
def test_what_describes_a_callback_builds_it_again(name: str) -> None:
    built = build_callback({"name": name, **OPTIONS.get(name, {})})
    described = describe_callback(built)
    assert described["name"] == name
    assert described.items() >= OPTIONS.get(name, {}).items()
    assert vars(build_callback(described)).keys() == vars(built).keys()
    written = json.loads(json.dumps(described))
    assert describe_callback(build_callback(written)).keys() == described.keys()


def test_a_callback_of_the_users_own() -> None:
    built = build_callback({"name": f"{__name__}:Mine", "mood": "bad"})
    assert isinstance(built, Mine)
    assert describe_callback(built) == {"name": f"{__name__}:Mine", "mood": "bad"}
    assert build_callback(built) is built


@pytest.mark.parametrize(
    ("described", "error", "says"),
    [
        ({"name": "EarlyStoping"}, UnknownName, 'Did you mean "EarlyStopping"?'),
        ({"name": "nowhere:Class"}, UnknownName, "cannot be imported: No module named 'nowhere'"),
        ({"name": "json:nothing"}, UnknownName, "has no attribute 'nothing'"),
        ({"name": "json:dumps"}, UnknownName, '"json:dumps" is not a Callback'),
        ({"name": "EarlyStopping", "patiance": 1}, SpecError, 'Did you mean "patience"?'),
        (
            {"name": "EarlyStopping", "patience": "x"},
            SpecError,
            "patience: 'x'; must be a whole number",
        ),
        ({"name": "EvaluationCallback"}, SpecError, "missing a required argument: 'query_data'"),
        ({"patience": 1}, SpecError, "is neither a Callback nor a name with options"),
        ("EarlyStopping", SpecError, "is neither a Callback nor a name with options"),
    ],
)
def test_what_cannot_be_built(described: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        build_callback(described)
    assert says in str(caught.value)


def test_who_hears_what() -> None:
    everyone = callbacks_heard(None)
    assert "LambdaCallback" not in {name for names in everyone.values() for name in names}
    assert everyone["on_evaluate"] == ["EvaluationCallback"]
    heard = callbacks_heard({"patience": 2, "callbacks": [{"name": f"{__name__}:Mine"}]})
    assert heard["on_metrics"] == ["EarlyStopping", "ProgressBar"]
    assert heard["on_evaluate"] == []


def test_a_spec_is_written_so_that_it_parses_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "q.jsonl"):
        (tmp_path / name).write_text("")
    for name in ("minilm", "q", "auto", "default", "mine", "cpu"):  # folders named like options
        (tmp_path / name).mkdir()
    options = {
        "model": "minilm",
        "train_data": "train.csv",
        "columns": {"query": "q", "document": "d"},
        "query_data": Path("q.jsonl"),
        "cutoffs": (1, 10),
        "loss_options": {"temperature": 0.1, "name": "q"},
        "device": "cpu",
        "name": "mine",
        "experiment": "default",
        "resume": False,
        "callbacks": [EarlyStopping(patience=3), {"name": "CSVLogger", "filename": "m.csv"}],
    }
    written = spec_to_json(parse(options))
    assert json.loads(json.dumps(written)) == written
    assert written["model"] == "minilm"
    assert written["train_data"] == str(tmp_path / "train.csv")
    assert written["query_data"] == str(tmp_path / "q.jsonl")
    assert written["columns"] == {"query": "q", "document": "d"}
    assert written["loss_options"] == {"temperature": 0.1, "name": "q"}
    assert (written["device"], written["name"], written["experiment"]) == ("cpu", "mine", "default")
    assert "resume" not in written
    assert written["callbacks"][0]["name"] == "EarlyStopping"
    assert written["callbacks"][0]["patience"] == 3
    again = spec_to_json(parse(written))
    assert again == written
    assert lost(written) == []


def test_a_folder_that_is_a_model_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    written = spec_to_json(parse({"model": "mine", "train_data": "me/hub-data"}))
    assert written == {"model": str(tmp_path / "mine"), "train_data": "me/hub-data"}


def test_objects_are_described_and_known_to_be_lost() -> None:
    rows = [{"name": "x", "query": "a", "document": "b"}]
    evaluation = EvaluationCallback(rows)
    watching = LambdaCallback(on_close=lambda ctx: None)
    callbacks = [evaluation, watching, ProgressBar()]
    options = {"model": object(), "train_data": rows, "callbacks": callbacks}
    written = spec_to_json(parse(options))
    assert written["train_data"] == {"object": "list, 1 rows"}
    assert written["callbacks"][0]["query_data"] == {"object": "list, 1 rows"}
    assert written["callbacks"][2] == {"name": "ProgressBar"}
    assert json.loads(json.dumps(written)) == written
    names = {fault.partition(":")[0] for fault in lost(written)}
    assert names == {"model", "train_data", "callbacks"}
    assert lost(written)[-1].endswith("which is not on disk; give it again")
