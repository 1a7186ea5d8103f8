from pathlib import Path

import pytest
from support.written import finished, written_run

from nearer.run.compare_several import compare_several
from nearer.run.handle import Run
from nearer.run.report_of_several import comparison_page, write_comparison

A = [[0.25, 0.5, 1.0], [0.5, 0.5, 1.0]]
B = [[0.25, 0.5, 1.0], [1.0, 0.75, 0.5], [0.0, 0.0, 0.0]]
C = [[0.25, 0.5, 1.0], [0.25, 0.5, 0.5]]


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    made = []
    for name, values, epochs in (("one", A, None), ("two", B, 2), ("three", C, 3)):
        spec = {"model": "m", "train_data": "t.csv"} | ({"epochs": epochs} if epochs else {})
        made.append(written_run(tmp_path, name, values, spec=spec, **finished(values, 1)))
    return made


def test_two_runs_side_by_side(runs: list[Run]) -> None:
    found = compare_several(runs[:2])
    (compared,) = found.comparisons
    page = comparison_page(found, None, ("after", "after"))
    assert page.title == "one epoch 1 and two epoch 1"
    assert page.headline is not None
    assert (page.headline.a, page.headline.b) == (compared.a, compared.b)
    ndcg = next(plot for plot in page.plots if plot.title == "ndcg_at_k")
    assert [(s.name, len(s.points)) for s in ndcg.series] == [("one", 2), ("two", 3)]
    differing, stands = page.settings
    assert differing.rows == (("epochs", "default", "2"),)
    assert ("Status", "finished", "finished") in stands.rows
    assert page.queries is not None
    assert [q.id for q in page.queries.won] == ["q1", "q2"]
    assert page.metrics[0].rows[0] == ("toy_ndcg_at_k", "0.66667", "0.75000", "+0.08333")
    path = write_comparison(found, None, ("after", "after"))
    assert path == runs[1].folder / "compare-shoes-one-after-after.html"
    assert "one epoch 1 and two epoch 1" in path.read_text(encoding="utf-8")


def test_several_runs_each_against_the_first(runs: list[Run]) -> None:
    found = compare_several(runs)
    page = comparison_page(found, None, ("after", "after"))
    assert (page.title, page.kind) == ("one, two, three", "Comparison of 3 runs")
    assert page.verdict.startswith("Of the 2 others two epoch 1 is the best. From one epoch 1 to")
    each, means = page.metrics
    assert [row[:3] for row in each.rows] == [
        ("one epoch 1", "0.66667", ""),
        ("two epoch 1", "0.75000", "+0.08333"),
        ("three epoch 1", "0.41667", "−0.25000"),
    ]
    assert means.rows[0] == ("toy_ndcg_at_k", "0.66667", "0.75000", "0.41667")
    assert page.settings[0].rows == (("epochs", "default", "2", "3"),)
    ndcg = next(plot for plot in page.plots if plot.title == "ndcg_at_k")
    assert [s.name for s in ndcg.series] == ["one", "two", "three"]
    path = write_comparison(found, None, ("after", "after"))
    assert path == runs[2].folder / "compare-shoes-one-shoes-two-after-after.html"


def test_a_page_of_many_runs_has_a_name_that_a_file_can_have(runs: list[Run]) -> None:
    found = compare_several([*runs[:2] * 20, runs[2]])
    path = write_comparison(found, None, ("after", "after"))
    assert len(path.name) < 40
    assert path.is_file()


def test_two_epochs_of_one(tmp_path: Path) -> None:
    run = written_run(tmp_path, "one", B, **finished(B, 1))
    page = comparison_page(compare_several([run, run], (0, 2)), None, (0, 2))
    assert (page.title, page.settings) == ("epoch 0 and epoch 2", ())
    assert [plot.title for plot in page.plots] == ["ndcg_at_k", "loss"]
    path = write_comparison(compare_several([run, run], (0, "step10")), None, (0, "step10"))
    assert path.name == "compare-0-step10.html"
