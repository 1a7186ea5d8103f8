"""ProgressBar: one live line for training, bars for evaluation, log lines between them."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nearer.loop.callback import Callback
from nearer.loop.context import Context

LOGGER = logging.getLogger("nearer")
HEADLINES = ("ndcg_at_k", "train_loss", "val_loss")
SHOWN = 4
"""Most metrics of a point that its line shows; of more, only the headlines."""


class ProgressBar(Callback):
    """Show a fit on the terminal: one live line, and bars that go when they are done.

    Off a terminal it prints one plain line for each epoch. Log lines go through the same console,
    so they never tear the bar. Progress goes to stderr; nothing is written to stdout.

    Args:
        console: Where to draw; default: stderr.

    Example:
        >>> with ProgressBar() as bar, bar.track("Embedding index", 2) as advance:
        ...     advance(2)
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._live = self.console.is_terminal or self.console.is_jupyter
        self._open = 0
        self._in_fit = False
        self._task: TaskID | None = None

    def __enter__(self) -> "ProgressBar":
        """Take the console over: start the bars, and show nearer's log lines between them."""
        self._open += 1
        if self._open == 1:
            self._progress = self._make()
            if self._live:
                self._progress.start()
            self._handler = self._make_handler()
            self._before = LOGGER.level, LOGGER.propagate
            LOGGER.addHandler(self._handler)
            # The console is this handler's while the bars are up: a root handler of the user's
            # would print every line a second time, across them.
            LOGGER.propagate = False
            LOGGER.setLevel(logging.INFO)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draw the last state, leave the terminal clean, give the logger back as it was."""
        self._open -= 1
        if self._open == 0:
            if self._live:
                self._progress.stop()
            LOGGER.removeHandler(self._handler)
            level, LOGGER.propagate = self._before
            LOGGER.setLevel(level)

    @contextmanager
    def track(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar while something long is done; it is gone afterwards."""
        with self:
            task = self._progress.add_task(description, total=total, text="")
            try:
                yield lambda done: self._progress.advance(task, done)
            finally:
                self._progress.remove_task(task)

    def mute(self) -> None:
        """Show nothing from here on, and no log lines either: nobody looks."""
        self.console = Console(stderr=True, quiet=True)
        self._live = False

    def on_fit_begin(self, ctx: Context) -> None:
        """Show the bars."""
        self.__enter__()
        self._in_fit = True
        self._task = None
        self._loss = _Mean()
        self._began = time.monotonic()

    def on_epoch_begin(self, ctx: Context) -> None:
        """Begin the epoch's line."""
        self._loss = _Mean()
        self._began = time.monotonic()
        self._begin_line(ctx)

    def on_train_batch_begin(self, ctx: Context) -> None:
        """Begin the line of an epoch that is resumed, where it stopped."""
        if self._task is None:
            self._begin_line(ctx)

    def on_train_batch_end(self, ctx: Context) -> None:
        """Advance the line."""
        if ctx.batch_loss is not None and self._task is not None:
            if math.isfinite(ctx.batch_loss):  # else the batch was skipped
                self._loss.add(ctx.batch_loss, ctx.batch_rows)
            self._progress.update(self._task, advance=1, text=self._text(ctx))

    def on_metrics(self, ctx: Context) -> None:
        """Show the held-out loss as soon as it is known, and say how the point scored."""
        if self._task is not None:
            self._progress.update(self._task, text=self._text(ctx))
        point = ctx.point
        shown = {m.key: ctx.metrics[m.key] for m in ctx.declared if m.key in ctx.metrics}
        if len(shown) > SHOWN:
            headlines = {m.key for m in ctx.declared if m.bare in HEADLINES}
            shown = {key: value for key, value in shown.items() if key in headlines}
        if point is not None and shown:
            step = "" if ctx.config.evaluate_every == "epoch" else f", step {point.step}"
            scores = ", ".join(f"{key} {value:.5f}" for key, value in shown.items())
            LOGGER.info("Epoch %s%s: %s", point.epoch, step, scores)

    def on_epoch_end(self, ctx: Context) -> None:
        """Off a terminal: print the epoch's line."""
        if not self._live:
            seconds = int(time.monotonic() - self._began)
            clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
            self.console.print(
                f"{_epoch(ctx)} {ctx.batch}/{ctx.batches} {clock} {self._text(ctx)}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )

    def on_close(self, ctx: Context) -> None:
        """Take the bars down."""
        if self._in_fit:
            self._in_fit = False
            self.__exit__(None, None, None)

    def state_dict(self) -> dict[str, Any]:
        """The mean loss of the epoch so far."""
        return {"loss": self._loss.total, "rows": self._loss.rows}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._loss.total, self._loss.rows = state["loss"], state["rows"]

    def _begin_line(self, ctx: Context) -> None:
        if self._task is None:
            self._task = self._progress.add_task("", total=ctx.batches, text="")
        self._progress.reset(
            self._task,
            total=ctx.batches,
            completed=ctx.batch,
            description=_epoch(ctx),
            text=self._text(ctx),
        )

    def _text(self, ctx: Context) -> str:
        loss = "-.---" if self._loss.rows == 0 else f"{self._loss.mean():.3f}"
        # Compared with None: a held-out loss of exactly 0 is a value, and is shown.
        val = "" if ctx.val_loss is None else f" • val_loss: {ctx.val_loss:.3f}"
        return f"• loss: {loss}{val}"

    def _make(self) -> Progress:
        return Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=40, style="dim", complete_style="green", finished_style="yellow"),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}"),
            console=self.console,
            disable=not self._live,
        )

    def _make_handler(self) -> logging.Handler:
        if self.console.quiet:
            return logging.NullHandler()
        if self._live:
            return RichHandler(console=self.console, show_path=False, log_time_format="[%X]")
        handler = logging.StreamHandler(self.console.file)
        handler.setFormatter(
            logging.Formatter("[%(asctime)s] %(levelname)-8s %(message)s", "%H:%M:%S")
        )
        return handler


class _Mean:
    """A mean over rows, not over batches: a short last batch counts for what it is."""

    def __init__(self) -> None:
        self.total, self.rows = 0.0, 0

    def add(self, value: float, rows: int) -> None:
        self.total += value * rows
        self.rows += rows

    def mean(self) -> float:
        return self.total / self.rows


def _epoch(ctx: Context) -> str:
    return f"Training [{ctx.epoch}/{ctx.config.epochs}]"
