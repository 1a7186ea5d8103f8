import json
from pathlib import Path

import pyarrow.feather as feather
import pytest
from support.toy import LABELLED, toy_fit

from nearer.callbacks import EvaluationCallback
from nearer.run.ranks import all_ranks
from nearer.run.record import RunFolder
from nearer.run.recorder import Recorder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_a_line_and_the_ranks_of_every_point(folder: RunFolder) -> None:
    evaluation = EvaluationCallback(LABELLED, limit=3)
    result = toy_fit(evaluation, Recorder(folder, [evaluation]), model_name="letters")
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    files = all_ranks(folder.ranks)
    assert [(f.epoch, f.step) for f in files] == [(p.epoch, p.step) for p in result.history]
    for line, file in zip(lines, files, strict=True):
        table = file.read()
        mean = table["ndcg_at_k"].to_numpy().mean()
        assert line["metrics"]["letters_ndcg_at_k"] == pytest.approx(mean, abs=1e-12)
        assert table["query"].to_pylist() == [row["id"] for row in LABELLED]


def test_an_evaluation_that_passed_over_a_point_leaves_no_ranks_there(folder: RunFolder) -> None:
    rare, usual = EvaluationCallback(LABELLED, name="rare", every=2), EvaluationCallback(LABELLED)
    toy_fit(rare, usual, Recorder(folder, [rare, usual]), epochs=5)
    points = {
        name: [f.epoch for f in all_ranks(folder.ranks) if f.evaluation == name]
        for name in ("rare", "model")
    }
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    assert points["model"] == [0, 1, 2, 3, 4, 5]
    assert points["rare"] == [n["epoch"] for n in lines if "rare_ndcg_at_k" in n["metrics"]]
    assert len(points["rare"]) < 6


def test_the_queries_that_ask_are_those_in_the_ranks(folder: RunFolder) -> None:
    evaluation = EvaluationCallback(LABELLED, limit=3, query_sample_size=4)
    toy_fit(evaluation, Recorder(folder, [evaluation]))
    first, *_ = all_ranks(folder.ranks)
    table = first.read("query", "hits", "content")
    assert len(table) == 4
    assert set(table["query"].to_pylist()) <= {row["id"] for row in LABELLED}
    assert first.facts()["index_size"] == len(LABELLED)


def test_names_that_differ_only_in_what_no_file_can_hold(folder: RunFolder) -> None:
    evaluations = [EvaluationCallback(LABELLED, name=name) for name in ("a/b", "a-b", "a b")]
    toy_fit(*evaluations, Recorder(folder, evaluations), epochs=1)
    assert {f.evaluation for f in all_ranks(folder.ranks)} == {"a/b", "a-b", "a b"}


def test_ranks_of_an_attempt_before_are_removed(folder: RunFolder) -> None:
    evaluation = EvaluationCallback(LABELLED)
    toy_fit(evaluation, Recorder(folder, [evaluation]), epochs=3)
    (folder.ranks / "mine.txt").write_text("")
    toy_fit(evaluation, Recorder(folder, [evaluation]), epochs=1)
    assert [f.epoch for f in all_ranks(folder.ranks)] == [0, 1]
    assert (folder.ranks / "mine.txt").exists()


def test_any_arrow_reader_reads_them(folder: RunFolder) -> None:
    evaluation = EvaluationCallback(LABELLED)
    toy_fit(evaluation, Recorder(folder, [evaluation]), epochs=1)
    table = feather.read_table(str(all_ranks(folder.ranks)[0].path))
    assert table.column_names[:4] == ["query", "hits", "scores", "first_relevant"]
    assert {"ndcg_at_k", "content", "relevant"} <= set(table.column_names)
