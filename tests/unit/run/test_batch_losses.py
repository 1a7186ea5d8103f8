import json
from pathlib import Path
from typing import Any

import pytest
from support.toy import toy_fit

from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.run.batch_losses import MOST, BatchLosses, read_losses


class Heard(Callback):
    """What the loop said of each batch."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int, float, int]] = []

    def on_train_batch_end(self, ctx: Context) -> None:
        assert ctx.batch_loss is not None
        self.batches.append((ctx.step, ctx.epoch, ctx.batch_loss, ctx.batch_rows))


def test_a_point_for_each_step_of_a_short_fit(tmp_path: Path) -> None:
    heard, losses = Heard(), BatchLosses(tmp_path / "losses.json")
    toy_fit(heard, losses, epochs=3)
    points = read_losses(losses.path)
    assert [(p["step"], p["epoch"], p["loss"], p["rows"]) for p in points] == heard.batches
    assert {p["rows"] for p in points} == {4, 3}


@pytest.mark.parametrize("epochs", [199, 201, 333, 500])
def test_a_long_fit_has_few_points_and_the_same_mean(epochs: int, tmp_path: Path) -> None:
    heard, losses = Heard(), BatchLosses(tmp_path / "losses.json")
    toy_fit(heard, losses, epochs=epochs, evaluate_every=10_000)
    points = read_losses(losses.path)
    assert MOST // 2 - 1 <= len(points) <= MOST
    assert points[-1]["step"] == heard.batches[-1][0]
    rows = sum(n for *_, n in heard.batches)
    assert sum(p["rows"] for p in points) == rows
    whole = sum(loss * n for *_, loss, n in heard.batches) / rows
    assert sum(p["loss"] * p["rows"] for p in points) / rows == pytest.approx(whole, rel=1e-12)


def fed(losses: BatchLosses, values: list[float], first: int = 1) -> None:
    """Let it hear batches without a fit."""

    class Said:
        epoch, batch_rows, learning_rates = 1, 2, (0.1,)
        step, batch_loss = 0, 0.0

    said: Any = Said()
    for said.step, said.batch_loss in enumerate(values, first):
        losses.on_train_batch_end(said)


@pytest.mark.parametrize("at", [1, 399, 400, 401, 803, 1205])
def test_a_resume_comes_to_the_same_points(at: int, tmp_path: Path) -> None:
    values = [1 / (1 + i) for i in range(1300)]
    whole, first, second = (BatchLosses(tmp_path / f"{i}.json") for i in range(3))
    fed(whole, values)
    fed(first, values[:at])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    fed(second, values[at:], at + 1)
    assert second.state_dict() == whole.state_dict()


def test_what_came_after_the_checkpoint_is_cut_off_at_once(tmp_path: Path) -> None:
    path = tmp_path / "losses.json"
    first = BatchLosses(path)
    fed(first, [3.0, 2.0])
    state = first.state_dict()
    fed(first, [1.0], 3)
    first.on_close(None)  # type: ignore[arg-type]
    assert [p["step"] for p in read_losses(path)] == [1, 2, 3]
    again = BatchLosses(path)
    again.on_fit_begin(None)  # type: ignore[arg-type]
    assert not path.exists()
    again.load_state_dict(state)
    assert [p["step"] for p in read_losses(path)] == [1, 2]


def test_a_batch_that_was_skipped_is_no_point(tmp_path: Path) -> None:
    losses = BatchLosses(tmp_path / "losses.json")
    fed(losses, [1.0, float("nan"), 3.0])
    assert [p["step"] for p in losses.state_dict()["points"]] == [1, 3]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[{]",
        "{}",
        "7",
        '[{"step": 1}]',
        "[" * 100_000,
        '[{"step": 1, "epoch": 1, "loss": NaN, "rows": 1, "learning_rate": 0}]',
        '[{"step": 1, "epoch": 1, "loss": 1e300, "rows": 1, "learning_rate": 0.5}]',
        '[{"step": -1, "epoch": 1, "loss": 0.5, "rows": 1, "learning_rate": 0.5}]',
        '[{"step": 1, "epoch": true, "loss": 0.5, "rows": 1, "learning_rate": 0.5}]',
        '[{"step": 1, "epoch": 1, "loss": "x", "rows": 1, "learning_rate": 0}]',
    ],
)
def test_without_a_whole_file_there_are_none(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "losses.json"
    if text is not None:
        path.write_text(text)
    assert read_losses(path) == []
