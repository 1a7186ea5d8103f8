"""Labelled data as a user gives it: batches of classes, losses by name, what does not count."""

from pathlib import Path
from typing import Any

import pytest

import nearer

KINDS = ("shoes", "boots", "hat", "coat")
COLOURS = ("red", "green", "blue", "black", "white")
ROWS = [{"text": f"{c} {k}", "label": k} for k in KINDS for c in COLOURS]


def fit(tmp_path: Path, model: Path, rows: Any = ROWS, **options: Any) -> nearer.Run:
    given = {"epochs": 1, "batch_size": 8, "items_per_class": 4, "runs_dir": tmp_path / "runs"}
    return nearer.fit(model=str(model), train_data=rows, **(given | options))


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("TripletMargin", {"miner": "TripletMarginMiner", "distance": "CosineSimilarity"}),
        ("SupCon", {"temperature": 0.2}),
        ("ArcFace", {"margin": 20}),
        ("cosface", {"scale": 16}),
    ],
)
def test_losses_by_name_with_their_options(
    loss: str, options: dict[str, Any], tiny_bert: Path, tmp_path: Path
) -> None:
    rates: list[float] = []
    note = nearer.LambdaCallback(on_epoch_begin=lambda ctx: rates.extend(ctx.learning_rates))
    run = fit(
        tmp_path,
        tiny_bert,
        loss=loss,
        loss_options=options,
        learning_rate=0.001,
        loss_learning_rate=0.1,
        warmup=0,
        callbacks=[note],
        query_data=ROWS,
    )
    own = [0.1] if loss in ("ArcFace", "cosface") else []
    assert rates == [0.001, 0.001, *own]  # matrices, biases, and what the loss learns
    assert run.history[-1]["metrics"]["train_loss"] > 0
    assert run.metrics()["after"]["tiny-bert_ndcg_at_k"] > 0
    assert run.record["training"]["classes_per_batch"] == 2


def test_what_does_not_count_is_counted_and_told(tiny_bert: Path, tmp_path: Path) -> None:
    rows = [*ROWS, {"text": "a glove", "label": "glove"}, {"text": "nothing", "label": ""}]
    run = fit(tmp_path, tiny_bert, rows, on_bad_row="skip")
    said = run.record["training"]
    assert {n: said[n] for n in ("rows", "skipped", "classes", "lone_classes")} == {
        "rows": 21,
        "skipped": 1,
        "classes": 5,
        "lone_classes": 1,
    }
    assert said["reasons"][0] in run.logs()
    assert "1 class has a single row, which has nothing to come nearer to" in run.logs()
    with pytest.raises(nearer.NearerError, match="label"):
        fit(tmp_path, tiny_bert, rows)


def test_T3_classes_and_items_that_cannot_be_had_are_adjusted_with_a_warning(
    tiny_bert: Path, tmp_path: Path
) -> None:
    run = fit(tmp_path, tiny_bert, batch_size=8, items_per_class=7)
    said = run.record["training"]
    assert (said["classes_per_batch"], said["items_per_class"]) == (2, 4)
    assert said["adjusted"] in run.logs()
