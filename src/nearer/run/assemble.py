"""The callbacks of a run: those given, those that options ask for, and who keeps the best."""

from functools import partial
from typing import Literal

from nearer.callbacks import (
    BestModelCheckpoint,
    EarlyStopping,
    EvaluationCallback,
    ProgressBar,
    WiSEFT,
)
from nearer.callbacks.watching import DEFAULT_MONITOR
from nearer.loop.callback import Callback
from nearer.run.faults import EVALUATION, Faults
from nearer.run.registry import build_callback
from nearer.run.spec import STOPPING, RunSpec

Keep = Literal["best", "last"]


def assemble(spec: RunSpec, faults: Faults) -> list[Callback]:
    """Build the callbacks that a spec names, and those that its options ask for."""
    built = [faults.get(partial(build_callback, described)) for described in spec.callbacks]
    callbacks: list[Callback] = [callback for callback in built if callback is not None]
    if spec.query_data is not None:
        options = {name: getattr(spec, name) for name in EVALUATION}
        callbacks.append(EvaluationCallback(**options, on_bad_row=spec.on_bad_row))
    stopping = {name: getattr(spec, name) for name in STOPPING}
    stopping = {name: value for name, value in stopping.items() if value is not None}
    if stopping and any(isinstance(c, EarlyStopping) for c in callbacks):
        names = ", ".join(stopping)
        faults.add(f"{names}: there is an EarlyStopping among the callbacks; give them to it")
    elif stopping:
        callbacks.append(EarlyStopping(**stopping))
    if not any(isinstance(c, ProgressBar) for c in callbacks):
        callbacks.append(ProgressBar())
    return callbacks


def hand_back(
    spec: RunSpec, callbacks: list[Callback], faults: Faults, model_name: str, has_val: bool
) -> Keep:
    """Decide whose weights the artifact holds; adds a BestModelCheckpoint where nobody keeps them.

    Returns:
        "best" where something can be judged by, unless the spec says otherwise.
    """
    evaluations = [c for c in callbacks if isinstance(c, EvaluationCallback)]
    keepers = [
        c
        for c in callbacks
        if isinstance(c, BestModelCheckpoint) or (isinstance(c, EarlyStopping) and c.restore_best)
    ]
    can_judge = bool(evaluations or has_val or keepers)
    if spec.keep == "best" and not can_judge:
        faults.add("keep: best needs something to judge by: query_data, eval_data or val_split")
    keep: Keep = spec.keep or ("best" if can_judge else "last")
    mixers = [c for c in callbacks if isinstance(c, WiSEFT)]
    if len(mixers) > 1:
        faults.add("WiSEFT: there are several among the callbacks; give one, with several alphas")
    choosers = [*keepers, *(c for c in mixers if c.alpha is None)]
    watched = {c.monitor or DEFAULT_MONITOR for c in choosers}
    if keep == "best" and len(watched) > 1:
        faults.add(
            "keep: several callbacks would hand back the best, by different metrics "
            f"({', '.join(sorted(watched))}); let them watch one, or set restore_best=False"
        )
    if keep == "best" and not keepers and can_judge:
        several = len(evaluations) > 1
        monitor = f"{evaluations[0].prefix(model_name)}_{DEFAULT_MONITOR}" if several else None
        asked = next((c.monitor for c in choosers if c.monitor is not None), monitor)
        callbacks.append(BestModelCheckpoint(asked))
    return keep
