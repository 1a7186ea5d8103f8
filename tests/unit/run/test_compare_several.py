from pathlib import Path

import pytest
from support.written import finished, written_run

import nearer
from nearer.errors import UnknownName
from nearer.run.compare_several import compare_several, differing_options, names_of

VALUES = {
    "low": [[0.25, 0.5, 1.0], [0.25, 0.25, 0.5]],
    "mid": [[0.25, 0.5, 1.0], [0.5, 0.5, 0.75]],
    "top": [[0.25, 0.5, 1.0], [1.0, 1.0, 1.0]],
}


def runs_of(folder: Path, *names: str, **spec: object) -> list[nearer.Run]:
    return [
        written_run(folder, n, VALUES[n], spec={"model": "m", **spec}, **finished(VALUES[n], 1))
        for n in names
    ]


def test_each_against_the_first(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, "mid", "top", "low")
    found = compare_several(runs)
    for run, compared in zip(runs[1:], found.comparisons, strict=True):
        assert compared.to_dict() == nearer.compare(runs[0], run).to_dict()
    assert found.labels == ("mid epoch 1", "top epoch 1", "low epoch 1")
    assert found.best is found.comparisons[0]
    rows = list(found.rows())
    assert rows[0] == ("mid epoch 1", "0.58333", "", "", "", "", "")
    assert rows[1][4:] == ("3", "0", "0")
    assert rows[2][:3] == ("low epoch 1", "0.33333", "-0.25000")


def test_the_best_may_be_worse_than_the_first(tmp_path: Path) -> None:
    found = compare_several(runs_of(tmp_path, "top", "low", "mid"))
    assert found.best.labels[1] == "mid epoch 1"


def test_what_differs_in_the_options(tmp_path: Path) -> None:
    runs = runs_of(tmp_path / "a", "low", "mid", epochs=3, loss="InfoNCE", name="one")
    runs += runs_of(tmp_path / "b", "top", epochs=3, learning_rate=0.5)
    assert differing_options(runs) == [
        ("loss", "InfoNCE", "InfoNCE", "default"),
        ("learning_rate", "default", "default", "0.5"),
    ]


def test_names_are_told_apart(tmp_path: Path) -> None:
    one = written_run(tmp_path, "same", VALUES["low"], experiment="hats")
    two = written_run(tmp_path, "same", VALUES["low"], experiment="shoes")
    other = written_run(tmp_path, "other", VALUES["low"])
    assert names_of([one, two, other]) == ("hats/same", "shoes/same", "other")


def test_a_metric_that_one_of_them_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match='no metric "hits"'):
        compare_several(runs_of(tmp_path, "low", "mid", "top"), metric="hits")
