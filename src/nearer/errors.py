"""Every error that `nearer` raises on purpose; what is not in this tree is a bug.

    NearerError                  1    something that a user can act on
    ├── UsageError               2    the request is wrong; nothing was started
    │   ├── SpecError            2    options, all faults at once
    │   ├── DataError            2    a file, a column, a row
    │   ├── MetricNotReported    2    a callback watches a metric that nobody produces
    │   ├── UnknownName          2    no such model, loss, optimizer, callback, metric
    │   ├── ModelError           2    a model that cannot be loaded, or not for this data
    │   ├── RunExists            2    the run's name is taken
    │   └── RunNotFound          2    no run of that name
    ├── ArtifactError            1    an artifact that is damaged or was not written by us
    ├── NonFiniteLoss            1    loss or gradient became NaN or infinite
    ├── ProcessLost              1    another process of the run failed, died or does not answer
    └── Interrupted              130  Ctrl-C, SIGTERM (143), `nearer runs stop`; carries the run

The number is the exit code of the command line. A message names the thing, the place and the way
out.
"""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class NearerError(Exception):
    """Base of all errors raised on purpose."""

    exit_code: int = 1
    told: bool = False
    """Whether another process of the run says it, so that this one need not."""


class UsageError(NearerError):
    """The request is wrong; nothing was started and nothing was written."""

    exit_code = 2


class SpecError(UsageError):
    """One or more options are wrong; all of them are listed.

    Args:
        faults: One line each, naming the option, what is wrong and the way out.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        noun = "fault" if len(self.faults) == 1 else "faults"
        single = len(self.faults) == 1 and "\n" not in self.faults[0]
        super().__init__(self.faults[0] if single else f"{len(self.faults)} {noun}:\n{lines}")


class DataError(UsageError):
    """A file, a column or a row cannot be used."""


class MetricNotReported(UsageError):
    """A callback watches a metric that no callback produces."""


class UnknownName(UsageError):
    """There is no model, loss, optimizer, scheduler, callback or metric of that name."""


class ModelError(UsageError):
    """A model cannot be loaded, or does not fit the data."""


class RunExists(UsageError):
    """The name of the run is taken."""


class RunNotFound(UsageError):
    """There is no run of that name."""


class ArtifactError(NearerError):
    """An artifact is damaged, incomplete or not one of ours."""


class NonFiniteLoss(NearerError):
    """The training loss, or its gradient, became NaN or infinite; names the rows."""


class ProcessLost(NearerError):
    """Another process of the run failed, died or does not answer; names it where that is known."""


class Interrupted(NearerError):
    """A signal, or who asked the run to stop, ended the fit gracefully; the best model was kept.

    Args:
        signal_name: "SIGINT", "SIGTERM", or who asked for a stop.

    Attributes:
        result: The loop's result up to the interruption (`FitResult`), set by the loop.
        run: The run with its artifact, set by `nearer.fit`; None where nothing was trained yet.
    """

    def __init__(self, signal_name: str = "SIGINT") -> None:
        super().__init__(f"interrupted by {signal_name}")
        self.signal_name = signal_name
        self.exit_code = 143 if signal_name == "SIGTERM" else 130
        self.result: Any = None
        self.run: Any = None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean "x"?` for the closest known name, or an empty string.

    Example:
        >>> did_you_mean("ndgc_at_k", ["ndcg_at_k", "hit_at_k"])
        ' Did you mean "ndcg_at_k"?'
    """
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{matches[0]}"?' if matches else ""
