"""What a metric declares about itself, and how a name finds it. Computes no metric."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from nearer.errors import MetricNotReported, SpecError, did_you_mean

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class MetricInfo:
    """A metric as its producer declares it.

    Attributes:
        key: Name under which it is reported ("minilm_ndcg_at_k").
        direction: Whether more or less of it is better.
        bare: Name without its prefix ("ndcg_at_k"); the key itself where there is none.
    """

    key: str
    direction: Direction
    bare: str


TRAIN_LOSS = MetricInfo("train_loss", "min", "train_loss")
VAL_LOSS = MetricInfo("val_loss", "min", "val_loss")


def declare(metrics: Iterable[MetricInfo]) -> tuple[MetricInfo, ...]:
    """Collect declarations; two producers of one name are an error.

    Raises:
        SpecError: A name is declared twice, or its direction is none; all of them in one line.
    """
    seen: dict[str, MetricInfo] = {}
    faults, twice = [], []
    for metric in metrics:
        if metric.key in seen:
            twice.append(metric.key)
        if metric.direction not in ("max", "min"):
            faults.append(f'metric "{metric.key}": {metric.direction!r}; must be "max" or "min"')
        seen[metric.key] = metric
    if twice:
        more = f" and {len(set(twice)) - 1} more" * (len(set(twice)) > 1)
        faults.append(
            f'metric "{twice[0]}"{more}: reported by two callbacks; give one of them another name '
            '(name="…"); in a spec file, evaluation_name'
        )
    if faults:
        raise SpecError(list(dict.fromkeys(faults)))
    return tuple(seen.values())


def resolve(name: str, declared: Sequence[MetricInfo], watcher: str) -> MetricInfo:
    """Find the metric that a name means: its key, or its bare name where only one has it.

    Args:
        name: What the user wrote ("ndcg_at_k" or "minilm_ndcg_at_k").
        declared: All metrics that this run reports.
        watcher: Who asks, for the message ("EarlyStopping").

    Raises:
        MetricNotReported: Nobody reports it, or more than one do; lists the names there are.
    """
    for metric in declared:
        if metric.key == name:
            return metric
    matches = [metric for metric in declared if metric.bare == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        keys = ", ".join(metric.key for metric in matches)
        raise MetricNotReported(
            f'{watcher} watches "{name}", which several evaluations report; choose one: {keys}'
        )
    names = list(dict.fromkeys([m.bare for m in declared] + [m.key for m in declared]))
    shown = list(dict.fromkeys(m.bare for m in declared))
    hint = did_you_mean(name, names)
    if name == "val_loss":
        hint = " val_loss needs held-out rows: give eval_data or val_split."
    raise MetricNotReported(
        f'{watcher} watches "{name}"; this run reports {", ".join(shown)}.{hint}'
    )
