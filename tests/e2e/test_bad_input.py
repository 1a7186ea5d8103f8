"""Bad input through the command line: what the table of texts (tests/bad_inputs) cannot show.

Names that are taken, folders that cannot be written, and what can still be right and is warned
about. In a message, "[...]" stands for any text.
"""

from pathlib import Path
from typing import Any

import pytest
from support.cli import Bench, Ran


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


def test_a_spec_file_that_is_not_there(bench: Bench, no_model: None) -> None:
    assert_refused(bench.run("fit", "spec.toml"), "no spec file spec.toml", bench)


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
