"""nearer fine-tunes embedding models, so that what belongs together comes nearer.

Importing it imports no torch until one of its names is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nearer.importing import quick_imports

if TYPE_CHECKING:
    from nearer.callbacks import (
        BestModelCheckpoint,
        CSVLogger,
        EarlyStopping,
        EvaluationCallback,
        LambdaCallback,
        ProgressBar,
        Tracker,
        WiSEFT,
    )
    from nearer.errors import Interrupted, NearerError
    from nearer.evaluation.metrics import metric
    from nearer.loop.callback import Callback
    from nearer.loop.events import Event
    from nearer.loop.metrics import MetricInfo
    from nearer.losses.protocol import Loss
    from nearer.run.api import fit, get_run, list_runs
    from nearer.run.compare import compare
    from nearer.run.export import export
    from nearer.run.handle import Run
    from nearer.run.use_api import encode, evaluate, load

_HOME = {
    "BestModelCheckpoint": "nearer.callbacks",
    "CSVLogger": "nearer.callbacks",
    "Callback": "nearer.loop.callback",
    "EarlyStopping": "nearer.callbacks",
    "EvaluationCallback": "nearer.callbacks",
    "Event": "nearer.loop.events",
    "Interrupted": "nearer.errors",
    "LambdaCallback": "nearer.callbacks",
    "Loss": "nearer.losses.protocol",
    "MetricInfo": "nearer.loop.metrics",
    "NearerError": "nearer.errors",
    "ProgressBar": "nearer.callbacks",
    "Run": "nearer.run.handle",
    "Tracker": "nearer.callbacks",
    "WiSEFT": "nearer.callbacks",
    "compare": "nearer.run.compare",
    "encode": "nearer.run.use_api",
    "evaluate": "nearer.run.use_api",
    "export": "nearer.run.export",
    "fit": "nearer.run.api",
    "get_run": "nearer.run.api",
    "list_runs": "nearer.run.api",
    "load": "nearer.run.use_api",
    "metric": "nearer.evaluation.metrics",
}

__all__ = [
    "BestModelCheckpoint",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "EvaluationCallback",
    "Event",
    "Interrupted",
    "LambdaCallback",
    "Loss",
    "MetricInfo",
    "NearerError",
    "ProgressBar",
    "Run",
    "Tracker",
    "WiSEFT",
    "compare",
    "encode",
    "evaluate",
    "export",
    "fit",
    "get_run",
    "list_runs",
    "load",
    "metric",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'nearer' has no attribute {name!r}")
    with quick_imports():
        return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
