"""`nearer runs compare` and `runs examples`, and what stands behind them, on a real small run."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.feather as feather
import pytest
from rich.console import Console
from support.cli import Ran
from support.tiny import save_tiny_bert

import nearer
from nearer.cli.main import run as run_command
from nearer.errors import UnknownName
from nearer.run.compare import texts_of
from nearer.run.examples import read_examples
from nearer.run.handle import Run
from nearer.run.ranks import all_ranks

KINDS = ["shoes", "boots", "hat", "coat", "shirt"]
COLOURS = ["red", "green", "blue"]
PAIRS = [(f"cheap {k} in {c}", f"the best {c} {k} for winter") for k in KINDS for c in COLOURS]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run "one" of two evaluations, and its data."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "train.csv").write_text("query,document\n" + "".join(f"{q},{d}\n" for q, d in PAIRS))
    for name, letter, side in (("queries", "q", 0), ("corpus", "d", 1)):
        rows = [{"id": f"{letter}{i}", "text": pair[side]} for i, pair in enumerate(PAIRS)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "qrels.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\td{i}\t1\n" for i in range(len(PAIRS)))
    )
    files = [str(folder / name) for name in ("queries.jsonl", "corpus.jsonl", "qrels.tsv")]
    second = [{"id": "m0", "text": "hat", "label": "a"}, {"id": "m1", "text": "hats", "label": "a"}]
    nearer.fit(
        model=str(save_tiny_bert(folder)),
        train_data=str(folder / "train.csv"),
        name="one",
        runs_dir=folder / "runs",
        epochs=2,
        batch_size=8,
        learning_rate=3e-3,
        callbacks=[
            nearer.EvaluationCallback(*files, name="search", limit=4, num_example_queries=3),
            nearer.EvaluationCallback(second, name="memory"),
            nearer.EvaluationCallback(*files, name="quiet", limit=2, gather_examples=False),
        ],
    )
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Run:
    """That run, in a folder whose runs a test may damage; its data stays where it is."""
    shutil.copytree(made / "runs", tmp_path / "runs")
    return nearer.get_run("one", runs_dir=tmp_path / "runs")


@pytest.fixture
def gone(run: Run) -> Run:
    """The run, as if its data were no more where it was."""
    path = run.folder / "run.json"
    path.write_text(path.read_text().replace("queries.jsonl", "gone.jsonl"))
    return run


def command(capsys: pytest.CaptureFixture[str], *words: str) -> Ran:
    capsys.readouterr()
    code = run_command(["runs", *words])
    streams = capsys.readouterr()
    return Ran(code, streams.out, streams.err)


def best(run: Run, file: Any, queries: list[str], k: int) -> list[list[str]]:
    """By hand: the first k hits of some queries."""
    rows = {row["query"]: row["hits"][:k] for row in feather.read_table(file).to_pylist()}
    return [rows[query] for query in queries]


# What the recorder writes


def test_the_ranks_say_what_they_are(run: Run) -> None:
    files = all_ranks(run.folder / "ranks")
    assert [(f.evaluation, f.epoch) for f in files] == [
        (name, epoch) for name in ("memory", "quiet", "search") for epoch in range(3)
    ]
    facts = [f.facts() for f in files]
    assert {f["limit"] for f in facts[3:6]} == {2}
    assert facts[-1]["index_size"] == len(PAIRS)
    assert facts[-1]["query_fingerprint"] == facts[3]["query_fingerprint"]
    assert facts[-1]["metrics"]["ndcg_at_k"] == "max"
    assert files[-1].read("relevant")["relevant"].to_pylist() == [1] * len(PAIRS)
    assert run.evaluations == ["search", "memory", "quiet"]


def test_the_record_says_which_point_was_kept(run: Run) -> None:
    (kept,) = [p for p in run.history if p["epoch"] == run.best_epoch]
    assert run.record["kept"] == {"epoch": kept["epoch"], "step": kept["step"]}


def test_a_comparison_is_that_of_the_means(run: Run) -> None:
    for name in run.evaluations:
        found = run.compare(0, 2, evaluation=name, metric="average_precision")
        scores = [run.history[i]["metrics"][f"{name}_average_precision"] for i in (0, 2)]
        assert [found.a, found.b] == pytest.approx(scores, abs=1e-12)
        assert found.interval.low <= found.difference <= found.interval.high


# Examples


def test_every_evaluation_that_gathers_has_its_examples(run: Run) -> None:
    said = json.loads((run.folder / "examples.json").read_text())
    assert set(said) == {"search", "memory"}
    assert [len(said["search"][stage]) for stage in ("before", "after")] == [3, 3]
    assert run.example_results(evaluation="memory")["after"] == {"hat": ["hats"], "hats": ["hat"]}


def test_kept_examples_are_what_the_ranks_say(run: Run, gone: Run) -> None:
    for stage, found in read_examples(gone).items():
        epoch = 0 if stage == "before" else run.best_epoch
        file = next((run.folder / "ranks").glob(f"search.epoch00{epoch}*"))
        ids = [one.query for one in found]
        assert [[m.id for m in one.matches] for one in found] == best(run, file, ids, 4)
        for one in found:
            right = int(one.query[1:])
            assert one.text == PAIRS[right][0]
            assert [m.text for m in one.matches] == [PAIRS[int(m.id[1:])][1] for m in one.matches]
            assert [m.relevant for m in one.matches] == [m.id == f"d{right}" for m in one.matches]


def test_fewer_and_more_documents(run: Run) -> None:
    kept = run.example_results()
    assert {len(found) for found in run.example_results(k=2)["after"].values()} == {2}
    more = run.example_results(k=20)  # beyond what was kept with the run, so from the ranks
    assert {len(found) for found in more["after"].values()} == {4}
    for stage in ("before", "after"):
        assert list(more[stage]) == list(kept[stage])
        assert (
            run.example_results(k=3)[stage].items()
            <= {text: found[:3] for text, found in more[stage].items()}.items()
        )


def test_chosen_queries_by_id_and_by_text(run: Run) -> None:
    found = run.example_results(["q7", PAIRS[0][0]], k=1)
    assert list(found["before"]) == list(found["after"]) == [PAIRS[7][0], PAIRS[0][0]]
    with pytest.raises(
        UnknownName, match=r'"q77" is neither .* a query of "search"\. Did you mean'
    ):
        run.example_results(["q77"])


def test_without_the_data_there_are_ids(gone: Run) -> None:
    found = gone.example_results(["q7"], k=2)
    (documents,) = found["after"].values()
    assert list(found["after"]) == ["q7"]
    assert set(documents) <= {f"d{i}" for i in range(len(PAIRS))}
    marks = [m.relevant for one in read_examples(gone, ["q7"])["after"] for m in one.matches]
    first = marks.index(True) if True in marks else len(marks)
    assert marks[:first] == [False] * first  # only the first relevant one is known
    assert marks[first + 1 :] == [None] * len(marks[first + 1 :])
    with pytest.raises(UnknownName, match="data can't be read, so give its id"):
        gone.example_results([PAIRS[0][0]])


def test_data_that_has_changed_gives_no_texts(run: Run, made: Path, tmp_path: Path) -> None:
    assert texts_of(run, run).documents(["d0"]) == [PAIRS[0][1]]
    text = (made / "corpus.jsonl").read_text()
    (tmp_path / "changed.jsonl").write_text(text.replace("best", "worst"))
    path = run.folder / "run.json"
    changed = str(tmp_path / "changed.jsonl")
    path.write_text(path.read_text().replace(str(made / "corpus.jsonl"), changed))
    assert texts_of(run, run).documents(["d0"]) == ["d0"]


def test_rows_in_memory_have_texts_only_where_they_were_kept(run: Run) -> None:
    assert run.example_results(evaluation="memory")["before"] == {"hat": ["hats"], "hats": ["hat"]}
    assert run.example_results(["m0"], evaluation="memory")["before"] == {"m0": ["m1"]}


def test_examples_that_were_not_gathered_are_drawn_from_the_ranks(run: Run) -> None:
    found = run.example_results(evaluation="quiet")
    assert len(found["before"]) == 5
    assert found == run.example_results(evaluation="quiet")
    assert set(found["before"]) <= {query for query, _ in PAIRS}


def test_a_run_without_evaluation_has_no_examples(tmp_path: Path) -> None:
    from nearer.run.record import create

    run = Run(create(tmp_path, "a", "b", {}).path)
    assert run.example_results() == {"before": {}, "after": {}}
    assert run.evaluations == []


def test_queries_of_one_text_are_both_shown(run: Run) -> None:
    path = run.folder / "examples.json"
    said = json.loads(path.read_text())
    for stage in ("before", "after"):
        for one in said["search"][stage]:
            one["text"] = "same"
    path.write_text(json.dumps(said))
    second, third = (one["query"] for one in said["search"]["after"][1:])
    assert list(run.example_results()["after"]) == ["same", f"same ({second})", f"same ({third})"]


def test_examples_on_a_terminal(run: Run) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system="standard")
    run.display_examples(2, ["q0"], console=console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Results before fine-tuning:" in shown
    assert "Results after fine-tuning:" in shown
    assert "\x1b[1;33mQuery  \x1b[0m" in shown  # bold yellow
    assert f"\x1b[1;33m{PAIRS[0][0]}" in shown
    assert "Match 2" in shown
    assert "Match 3" not in shown


def test_examples_off_a_terminal(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.display_examples(2, ["q0"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Results before fine-tuning:", f"  Query     {PAIRS[0][0]}"]
    assert lines[2].startswith("  Match 1 ")
    assert lines[4] == "Results after fine-tuning:"
    assert len(lines) == 8


# The command line


def test_compare_prints_a_table_and_the_queries(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run.compare(0, 2)
    assert found.won
    where = ("--runs-dir", str(run.folder.parents[1]))
    ran = command(capsys, "compare", "one", "--epochs", "0,2", *where, "--show", "1")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(str(found))
    change = found.wins(1)[0]
    assert "Queries won, the largest difference first:" in ran.out
    assert f"  {PAIRS[int(change.query[1:])][0]} ({change.query})\n" in ran.out
    assert f"{change.a:.5f} → {change.b:.5f}" in ran.out
    assert " ✓ the best " in ran.out
    assert ran.out.count("(q") == min(found.won, 1) + min(found.lost, 1)
    assert "Queries won" not in command(capsys, "compare", "one", *where, "--show", "0").out


def test_compare_as_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--runs-dir", str(run.folder.parents[1]), "--experiment", "default")
    ran = command(
        capsys, "compare", "one", "default/one", "--epochs", "before,2", *where, "--json",
        "--metric", "hit_at_k", "--evaluation", "quiet",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert json.loads(ran.out) == run.compare(0, 2, metric="hit_at_k", evaluation="quiet").to_dict(
        5
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["one", "--epochs", "0,9"], "was not evaluated at epoch 9"),
        (["one", "--epochs", "0"], "epochs: '0'; must be two points, such as 0,3"),
        (["one", "--epochs", "0,"], "epochs: '0,'; must be two points"),
        (["one", "--metric", "ndgc_at_k"], 'Did you mean "ndcg_at_k"?'),
        (["one", "--evaluation", "serch"], 'Did you mean "search"?'),
        (["one", "--show", "-1"], "show: -1; must be at least 0"),
        (["one", "onne"], 'Did you mean "one"?'),
        (["other/one"], 'no run "one" in experiment "other"'),
    ],
)
def test_what_cannot_be_compared(
    words: list[str], says: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = command(capsys, "compare", *words, "--runs-dir", str(run.folder.parents[1]))
    assert ran.code == 2
    assert says in ran.err
    assert ran.out == ""


def test_examples_of_a_run(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--runs-dir", str(run.folder.parents[1]))
    ran = command(capsys, "examples", "one", "--k", "1", *where)
    assert ran.code == 0
    assert ran.out.count("Query") == 6
    chosen = ("--queries", "q1", "--queries", PAIRS[2][0], "--evaluation", "quiet", "--json")
    ran = command(capsys, "examples", "one", *chosen, *where)
    assert json.loads(ran.out) == run.example_results(["q1", PAIRS[2][0]], 5, "quiet")
    assert command(capsys, "examples", "one", "--k", "0", *where).code == 2
