"""ProgressBar: what a person sees, on a terminal and off it, and what the logger is left as."""

import io
import logging
import re

import pytest
from rich.console import Console
from support.faults import Boom, FailAt
from support.toy import ListLoss, ToyBatches, toy_fit

from nearer.callbacks import LambdaCallback, ProgressBar

LOGGER = logging.getLogger("nearer")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LINE = (
    r"  Training \[{epoch}/2\] ━{{40}} 2/2 0:00:00 0:00:0\d • loss: {loss} • val_loss: {val_loss}"
)


def bar(live):
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=live, width=140, color_system=None, legacy_windows=False
    )
    return ProgressBar(console), file


def lines(file):
    """What was written, without the control codes; a bar is drawn many times."""
    text = CONTROL.sub("", file.getvalue()).replace("\r", "\n")
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def state():
    return list(LOGGER.handlers), LOGGER.level, LOGGER.propagate


@pytest.fixture(autouse=True)
def the_loggers_are_left_as_they_were():
    root = logging.getLogger()
    LOGGER.setLevel(logging.ERROR)
    before, root_before = state(), (list(root.handlers), root.level)
    yield
    assert state() == before
    assert (list(root.handlers), root.level) == root_before
    LOGGER.setLevel(logging.NOTSET)


# Validation at epoch 0, then two batches of 4 and 3 rows and a validation, twice.
LOSSES = [1.0, 0.003, 0.003, 0.12, 0.5, 0.25, 0.0]


@pytest.mark.parametrize("live", [True, False])
def test_the_line_of_an_epoch(live):
    progress, file = bar(live)
    toy_fit(progress, loss=ListLoss(LOSSES), val=ToyBatches(2))
    seen = lines(file)
    if live:
        assert re.fullmatch(LINE.format(epoch=2, loss="0.393", val_loss="0.000"), seen[-1])
    else:
        trained = [line for line in seen if line.startswith("Training")]
        assert [re.sub(r"0:00:0\d", "TIME", line) for line in trained] == [
            "Training [1/2] 2/2 TIME • loss: 0.003 • val_loss: 0.120",
            "Training [2/2] 2/2 TIME • loss: 0.393 • val_loss: 0.000",
        ]


def test_the_example_of_the_document():
    """`Training [3/5] ━━━━ 76/76 0:00:00 0:00:16 • loss: 0.003 • val_loss: 0.120`."""
    progress, file = bar(True)
    losses = ListLoss([1.0, *[0.003] * 76, 0.12])
    stop = LambdaCallback(on_epoch_end=lambda ctx: ctx.request_stop("seen"))
    toy_fit(progress, stop, loss=losses, train=ToyBatches(152, 2), val=ToyBatches(1), epochs=5)
    assert re.fullmatch(
        r"  Training \[1/5\] ━{40} 76/76 0:00:00 0:00:\d\d • loss: 0.003 • val_loss: 0.120",
        lines(file)[-1],
    )


@pytest.mark.parametrize("live", [True, False])
def test_T44_a_held_out_loss_of_exactly_0_is_shown(live):
    progress, file = bar(live)
    toy_fit(progress, loss=ListLoss([0.0]), val=ToyBatches(2), epochs=1)
    assert any(line.endswith("• loss: 0.000 • val_loss: 0.000") for line in lines(file))


def test_without_held_out_rows_there_is_no_val_loss():
    progress, file = bar(False)
    toy_fit(progress, loss=ListLoss([0.5]), epochs=1)
    (line,) = [line for line in lines(file) if line.startswith("Train")]
    assert line.endswith("• loss: 0.500")


def test_before_the_first_batch_the_loss_is_a_dash():
    progress, file = bar(True)
    refresh = LambdaCallback(on_epoch_begin=lambda ctx: progress._progress.refresh())
    toy_fit(progress, refresh, epochs=1)
    assert any("0/2" in line and line.endswith("• loss: -.---") for line in lines(file))


def test_T29_the_loss_is_a_mean_over_rows():
    progress, file = bar(False)
    toy_fit(progress, loss=ListLoss([1.0, 0.0]), epochs=1)  # 4 and 3 rows
    assert any("• loss: 0.571" in line for line in lines(file))


def test_bars_of_long_things_are_shown_and_gone_when_done():
    progress, file = bar(True)

    def work(ctx):
        with ctx.track("Embedding index", 5) as advance:
            advance(2)
            progress._progress.refresh()
        assert len(progress._progress.tasks) == 1

    toy_fit(progress, LambdaCallback(on_epoch_end=work), track=progress.track, epochs=1)
    seen = lines(file)
    assert any(line.startswith("  Embedding index") and " 2/5 " in line for line in seen)
    assert seen[-1].startswith("  Training [1/1]")


def test_bars_are_gone_when_what_they_show_fails():
    progress, _ = bar(True)

    def fail(bar):
        with bar.track("Matching", 3):
            raise Boom

    with progress, pytest.raises(Boom):
        fail(progress)
    assert progress._progress.tasks == []


@pytest.mark.parametrize("live", [True, False])
def test_T4_log_lines_go_through_the_same_console_and_are_whole(live):
    progress, file = bar(live)
    say = LambdaCallback(on_train_batch_end=lambda ctx: LOGGER.info("hello %s", ctx.step))
    toy_fit(progress, say, epochs=1)
    said = [line for line in lines(file) if "hello" in line]
    assert len(said) == 2
    for number, line in enumerate(said, 1):
        assert re.fullmatch(rf"(\[[^]]+\])? *INFO +hello {number}", line)


def test_log_lines_are_said_once_though_the_root_has_a_handler_too():
    root, other = logging.getLogger(), io.StringIO()
    handler = logging.StreamHandler(other)
    root.addHandler(handler)
    try:
        progress, file = bar(False)
        with progress:
            LOGGER.warning("once")
        assert (file.getvalue().count("once"), other.getvalue()) == (1, "")
        LOGGER.error("after")
        assert other.getvalue() == "after\n"
    finally:
        root.removeHandler(handler)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("event", ["on_fit_begin", "on_train_batch_end", "on_close"])
@pytest.mark.parametrize("first", [True, False])
def test_T13_the_terminal_is_given_back_after_an_error(live, event, first):
    progress, _ = bar(live)
    fails = FailAt(event)
    with pytest.raises(Boom):
        toy_fit(*([fails, progress] if first else [progress, fails]))
    assert progress._open == 0


def test_a_bar_that_is_open_around_a_fit_stays_open_after_it_whatever_happened():
    """A run says how it went after the fit: its lines belong to the same console."""
    progress, file = bar(False)
    before = state()
    with progress:
        with pytest.raises(Boom):
            toy_fit(FailAt("on_fit_begin"), progress)
        toy_fit(progress, epochs=1)
        LOGGER.error("it failed")
    assert "it failed" in file.getvalue()
    assert state() == before
    with progress:
        LOGGER.error("and again")
    assert "and again" in file.getvalue()


def test_by_default_it_writes_to_stderr(capsys):
    toy_fit(ProgressBar(), epochs=1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Training [1/1] 2/2" in captured.err
