"""From a name, the kind of the data and some options to a loss. Torch is loaded only to build."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nearer.errors import SpecError
from nearer.losses.names import METRIC_LEARNING, OURS, hint, loss_name
from nearer.losses.options import option_faults, parameters_of, refuse

if TYPE_CHECKING:
    from nearer.losses.protocol import Loss, Need

    LOSSES: dict[str, type[Loss]]

KINDS: dict[str, tuple[str, frozenset["Need"]]] = {
    "pairs": ("InfoNCE", frozenset({"document"})),
    "negatives": ("InfoNCE", frozenset({"document", "negatives"})),
    "scored": ("CoSENT", frozenset({"document", "scores"})),
    "distillation": ("MarginMSE", frozenset({"document", "negatives", "scores"})),
    "labelled": ("SupConLoss", frozenset({"labels"})),
}
"""The kinds of data, the loss that each gets by default, and what its batches have."""


def loss_names() -> tuple[str, ...]:
    """The names of all losses: ours, then those of pytorch-metric-learning."""
    return (*OURS, *METRIC_LEARNING)


def auto_loss(kind: str) -> str:
    """The loss for a kind of data when none is asked for.

    Example:
        >>> auto_loss("pairs"), auto_loss("labelled")
        ('InfoNCE', 'SupConLoss')
    """
    return _kind(kind)[0]


def check_name(name: str) -> str:
    """The proper spelling of a loss, without loading anything.

    Raises:
        UnknownName: There is no such loss.
        SpecError: It exists in pytorch-metric-learning, but cannot learn from one labelled batch.
    """
    return loss_name(name)


def kind_faults(name: str, needs: "frozenset[Need]", kind: str) -> list[str]:
    """Why a loss, perhaps the user's own, cannot learn from a kind of data; empty if it can."""
    reason = _misfit(needs, kind)
    return [f"loss {name} {reason}; for this data take {_fitting(kind)}"] if reason else []


def build_loss(
    name: str,
    *,
    kind: str,
    num_classes: int | None = None,
    embedding_dim: int | None = None,
    options: Mapping[str, Any] | None = None,
    matryoshka_dims: Sequence[int] | None = None,
) -> "Loss":
    """Build a loss by name; all faults are reported at once.

    Args:
        name: One of `loss_names()`; case and a final "Loss" are free.
        kind: The kind of the data: one of `KINDS`.
        num_classes: Of labelled data.
        embedding_dim: Of the model, where it is known.
        options: What the loss takes; for labelled data also `miner` and `miner_options`.
        matryoshka_dims: Wrap the loss so that embeddings may be cut to these dimensions.

    Raises:
        UnknownName: There is no such loss or miner.
        SpecError: The loss does not fit the data, or an option is wrong.

    Example:
        >>> build_loss("infonce", kind="pairs", options={"temperature": 0.1})
        InfoNCE()
    """
    from nearer.losses.matryoshka import Matryoshka, too_large
    from nearer.losses.metric_learning import FROM_DATA, MetricLearning

    name, options = check_name(name), options or {}
    cls: type[Loss] = _losses()[name] if name in OURS else MetricLearning
    faults = kind_faults(name, cls.needs, kind)
    faults += [
        too_large(dim, embedding_dim)
        for dim in matryoshka_dims or ()
        if embedding_dim is not None and isinstance(dim, int) and dim > embedding_dim
    ]
    if name in OURS:
        unfit = option_faults(f"loss {name}", parameters_of(cls), options)
    else:
        unfit = [
            f"loss {name}: {option} is known from the data and the model; leave it out"
            for option in sorted({"name", *FROM_DATA, *FROM_DATA.values()} & options.keys())
        ]
    loss: Loss | None = None
    if not unfit:
        try:
            if name in OURS:
                loss = cls(**options)
            else:
                loss = MetricLearning(name, num_classes, embedding_dim, **options)
            if matryoshka_dims is not None:
                loss = Matryoshka(loss, matryoshka_dims)
        except SpecError as error:
            unfit += error.faults
    refuse([*faults, *unfit])
    assert loss is not None  # else there was a fault
    return loss


def _kind(kind: str) -> tuple[str, frozenset["Need"]]:
    if kind not in KINDS:
        raise SpecError(
            [f'no kind of data "{kind}"; there are {", ".join(KINDS)}.{hint(kind, KINDS)}']
        )
    return KINDS[kind]


def _misfit(needs: "frozenset[Need]", kind: str) -> str | None:
    _, gives = _kind(kind)
    if missing := sorted(needs - gives):
        return f"needs {' and '.join(missing)}, which {kind} data does not have"
    # The parts may all be there and yet mean something else.
    if kind == "scored" and "document" in needs and "scores" not in needs:
        return "takes every pair as relevant, whatever its score"
    if kind == "distillation" and "scores" in needs and "negatives" not in needs:
        return "takes the score of a pair, but here scores are margins to the negative"
    return None


def _fitting(kind: str) -> str:
    ours = [name for name, cls in _losses().items() if _misfit(cls.needs, kind) is None]
    labelled = METRIC_LEARNING if _misfit(frozenset({"labels"}), kind) is None else ()
    return ", ".join([*ours, *labelled])


def _losses() -> "dict[str, type[Loss]]":
    return {name: getattr(import_module(module), name) for name, module in OURS.items()}


def __getattr__(name: str) -> Any:
    if name == "LOSSES":
        return _losses()
    raise AttributeError(f"module {__name__} has no attribute {name}")
