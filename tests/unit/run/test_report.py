import json
from pathlib import Path
from typing import Any

import pytest
from lxml import html as lxml_html
from support.written import finished, written_run

from nearer.run.handle import Run
from nearer.run.report import report_page, try_report

VALUES = [[0.25, 0.5, 1.0], [0.5, 0.5, 1.0], [1.0, 0.5, 0.75], [0.75, 0.5, 0.75]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return written_run(tmp_path, "mine", VALUES, **finished(VALUES, 2))


def text_of(run: Run) -> str:
    return str(lxml_html.parse(str(run.report())).getroot().text_content())


def test_it_lies_in_the_folder_of_the_run(run: Run) -> None:
    assert run.report() == run.folder / "report.html"
    assert {path.name for path in run.folder.iterdir()} == {
        "metrics.jsonl",
        "ranks",
        "report.html",
        "run.json",
    }


def test_the_figures_are_those_of_the_record(run: Run) -> None:
    page = report_page(run)
    assert page.headline is not None
    compared = run.compare()
    assert (page.headline.a, page.headline.b) == (compared.a, compared.b)
    assert page.headline.interval == (compared.interval.low, compared.interval.high)
    before, after = (run.metrics()[side]["toy_ndcg_at_k"] for side in ("before", "after"))
    assert page.metrics[0].rows == (
        ("toy_ndcg_at_k", f"{before:.5f}", f"{after:.5f}", f"+{after - before:.5f}"),
    )
    assert [row[:2] for row in page.metrics[1].rows] == [
        (str(p["epoch"]), str(p["step"])) for p in run.history
    ]
    ndcg, loss = page.plots
    assert [v for _, _, v in ndcg.series[0].points] == [
        p["metrics"]["toy_ndcg_at_k"] for p in run.history
    ]
    assert [v for _, _, v in loss.series[0].points] == [1.0, 1 / 2, 1 / 3]
    assert (ndcg.best, ndcg.stop) == (20, 30)


def test_the_loss_from_step_to_step_is_drawn_behind_the_others(run: Run) -> None:
    point = {"epoch": 1, "rows": 4, "learning_rate": 0.1}
    points = [{**point, "step": step, "loss": 1 / step} for step in (1, 2, 3)]
    (run.folder / "losses.json").write_text(json.dumps(points))
    loss = next(plot for plot in report_page(run).plots if plot.title == "loss")
    assert [(s.name, s.thin) for s in loss.series] == [
        ("loss by step", True),
        ("train_loss", False),
    ]
    assert [step for step, _, _ in loss.series[0].points] == [1, 2, 3]
    assert list(loss.dots(loss.series[0])) == []
    assert 'class="curve thin"' in run.report().read_text()


def test_it_says_why_it_ended_and_where_time_went(run: Run) -> None:
    text = " ".join(text_of(run).split())
    assert "no gain in 2 evaluations (patience)" in text
    assert "epoch 2 (step 20)" in text
    time = report_page(run).time
    assert time is not None
    assert ("training (checkpoints are written beside it)", "1 min 0 s", "60%") in time.rows
    assert time.shares == (0.2, 0.6, 0.15, 0.05)
    assert "nearer fit --model m --train-data t.csv" in text


def test_won_and_lost(run: Run) -> None:
    queries = report_page(run).queries
    assert queries is not None
    assert ([q.id for q in queries.won], [q.id for q in queries.lost]) == (["q1"], ["q3"])
    before, after = queries.won[0].hits
    assert [(h.rank, h.text, h.other) for h in before] == [(1, "d1", 2), (2, "d2", 1)]
    assert [h.text for h in after] == ["d2", "d1"]


def test_three_queries_show_no_difference(run: Run) -> None:
    assert "these queries show no difference" in report_page(run).verdict


def test_a_clear_gain(tmp_path: Path) -> None:
    many = [f"q{i}" for i in range(50)]
    values = [[0.1] * 50, [0.2 + i / 100 for i in range(50)]]
    clear = written_run(tmp_path, "mine", values, many, **finished(values, 1))
    assert report_page(clear).verdict.startswith(
        "Fine-tuning made it better: toy_ndcg_at_k rose from 0.1000 to 0.4450."
    )


def test_a_run_that_only_made_it_worse(tmp_path: Path) -> None:
    worse = written_run(tmp_path, "mine", VALUES, **finished(VALUES, 0))
    assert report_page(worse).verdict.startswith("No epoch beat the model as it came")


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"status": "running"}, "The run is dead; this is what there is of it."),
        ({"status": "failed", "error": "ValueError: no"}, "The run is failed;"),
        ({"status": "failed", "error": "ValueError: no"}, "The run failed: ValueError: no"),
    ],
)
def test_a_run_that_did_not_come_to_its_end(
    record: dict[str, Any], says: str, tmp_path: Path
) -> None:
    for name, points in (("some", 3), ("one", 1), ("none", 0)):
        run = written_run(tmp_path, name, VALUES[:points], **record)
        (run.folder / "lock").unlink(missing_ok=True)
        if record["status"] == "running":
            gone = {**run.record["process"], "pid": 2**22 + 1, "started": "0"}
            written = json.loads((run.folder / "run.json").read_text())
            (run.folder / "run.json").write_text(json.dumps({**written, "process": gone}))
        assert says in text_of(run)
        page = report_page(run)
        assert (page.headline is not None) is (points > 1)


def test_without_an_evaluation_it_is_the_loss(tmp_path: Path) -> None:
    figures = {"before": {"val_loss": 2.0}, "after": {"val_loss": 1.0}}
    run = written_run(tmp_path, "mine", [], status="finished", metrics=figures, data=None)
    assert (
        report_page(run).verdict
        == "Fine-tuning made it better: val_loss fell from 2.0000 to 1.0000."
    )


def test_damaged_ranks_are_told(run: Run) -> None:
    for path in (run.folder / "ranks").iterdir():
        path.write_bytes(b"nothing")
    page = report_page(run)
    assert page.queries is None
    assert "Queries could not be compared" in page.remarks[0]


def test_names_that_are_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    queries, documents = [evil, "q2", "q3"], [evil, '"><img src=x>']
    spec = {"model": evil, "train_data": evil, "callbacks": [{"name": evil}]}
    values = VALUES[:2]
    run = written_run(
        tmp_path, "mine", values, queries, documents, spec=spec, **finished(values, 1)
    )
    tree = lxml_html.parse(str(run.report())).getroot()
    assert evil in tree.text_content()
    assert len(tree.xpath("//script")) == 2
    assert not tree.xpath("//img")


def test_at_the_end_of_a_run_it_can_only_warn(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(page: object) -> str:
        raise RuntimeError("no page today")

    monkeypatch.setattr("nearer.run.report.render", broken)
    try_report(run, {})
    assert "The report could not be written: no page today" in caplog.text


def test_ten_thousand_queries_stay_below_a_megabyte(tmp_path: Path) -> None:
    count = 10_000
    queries = [f"what is the {i}th of many questions that are asked here" for i in range(count)]
    values = [[i % 7 / 7 for i in range(count)], [i % 11 / 11 for i in range(count)]]
    run = written_run(tmp_path, "mine", values, queries, **finished(values, 1))
    assert run.report().stat().st_size < 1_000_000
    assert len(report_page(run).queries.listed) == count  # type: ignore[union-attr]
