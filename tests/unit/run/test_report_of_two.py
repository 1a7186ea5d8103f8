from pathlib import Path

from support.written import finished, written_run

import nearer
from nearer.run.report_of_two import comparison_page, write_comparison

A = [[0.25, 0.5, 1.0], [0.5, 0.5, 1.0]]
B = [[0.25, 0.5, 1.0], [1.0, 0.75, 0.5], [0.0, 0.0, 0.0]]


def test_two_runs_side_by_side(tmp_path: Path) -> None:
    one = written_run(tmp_path, "one", A, **finished(A, 1))
    spec = {"model": "m", "train_data": "t.csv", "epochs": 2}
    two = written_run(tmp_path, "two", B, spec=spec, **finished(B, 1))
    compared = nearer.compare(one, two)
    page = comparison_page(one, two, compared, None, ("after", "after"))
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
    path = write_comparison(one, two, compared, None, ("after", "after"))
    assert path == two.folder / "compare-shoes-one-after-after.html"
    assert "one epoch 1 and two epoch 1" in path.read_text(encoding="utf-8")


def test_two_epochs_of_one(tmp_path: Path) -> None:
    run = written_run(tmp_path, "one", B, **finished(B, 1))
    page = comparison_page(run, run, run.compare(0, 2), None, (0, 2))
    assert (page.title, page.settings) == ("epoch 0 and epoch 2", ())
    assert [plot.title for plot in page.plots] == ["ndcg_at_k", "loss"]
    path = write_comparison(run, run, run.compare(0, "step10"), None, (0, "step10"))
    assert path.name == "compare-0-step10.html"
