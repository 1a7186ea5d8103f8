"""MetricLearning: the losses and miners of pytorch-metric-learning by name. No formula of ours."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import Parameter
from typing import Any, ClassVar

from torch import Tensor

from nearer.errors import SpecError
from nearer.losses.names import METRIC_LEARNING, WITHOUT_MINER, loss_name, miner_name
from nearer.losses.options import one_of, option_faults, parameters_of, refuse
from nearer.losses.protocol import EmbeddedBatch, Loss, Need
from nearer.losses.similarity import full, part

FROM_DATA = {
    "num_classes": "num_classes",
    "embedding_size": "embedding_dim",
    "descriptors_dim": "embedding_dim",
}
"""What the package calls the things that we know from the data and the model."""

BY_NAME: dict[str, tuple[str, tuple[str, ...]]] = {
    "distance": (
        "distances",
        ("CosineSimilarity", "DotProductSimilarity", "LpDistance", "SNRDistance"),
    ),
    "reducer": ("reducers", ("AvgNonZeroReducer", "MeanReducer", "PerAnchorReducer")),
}
"""Options whose value is an object of the package: a name stands for one with its defaults."""


class MetricLearning(Loss):
    """Learn from class labels with any loss of pytorch-metric-learning.

    Items of one class come together, those of different classes move apart. SupConLoss is the one
    to begin with; with very many classes of few items, the losses with a vector for each class
    (ArcFaceLoss, CosFaceLoss, ProxyAnchorLoss) do not depend on which classes meet in a batch. A
    miner chooses the pairs or triplets that still teach something. Formulas and papers:
    https://kevinmusgrave.github.io/pytorch-metric-learning/losses/

    Args:
        name: Its class name, such as "TripletMarginLoss"; case and the final "Loss" are free.
        num_classes: How many classes there are, for the losses with a vector for each.
        embedding_dim: Dimensions of the embeddings, for the same.
        miner: Name of a miner, such as "MultiSimilarityMiner". Default: every pair counts.
        miner_options: What the miner takes.
        **options: What the loss takes; `distance` and `reducer` by object or by name.

    Raises:
        UnknownName: No such loss or miner.
        SpecError: An option is wrong, or the loss cannot learn from one labelled batch.

    Example:
        >>> import torch
        >>> loss = MetricLearning("Contrastive", neg_margin=0.5)
        >>> loss.name
        'ContrastiveLoss'
        >>> loss(EmbeddedBatch(query=torch.eye(2), labels=torch.tensor([0, 1]))).item()
        0.0
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"labels"})

    def __init__(
        self,
        name: str,
        num_classes: int | None = None,
        embedding_dim: int | None = None,
        miner: str | None = None,
        miner_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.name = loss_name(name)
        if self.name not in METRIC_LEARNING:
            raise SpecError([f"loss {self.name} is not one of pytorch-metric-learning"])
        from pytorch_metric_learning import losses, miners

        what = f"loss {self.name}"
        cls = getattr(losses, self.name)
        known, faults = _from_data(what, cls, num_classes, embedding_dim)
        faults += option_faults(what, options_of(cls), options) + _name_faults(what, options)
        miner_cls = None
        if miner is None and miner_options:
            faults.append(f"{what}: miner_options need a miner")
        if miner is not None:
            miner_cls = getattr(miners, miner_name(miner))
            if self.name in WITHOUT_MINER:
                faults.append(f"{what} chooses its own pairs and takes no miner; leave miner out")
            taken = miner_options or {}
            faults += option_faults(f"miner {miner_cls.__name__}", options_of(miner_cls), taken)
            faults += _name_faults(f"miner {miner_cls.__name__}", taken)
        refuse(faults)
        self.fixed_dim = "embedding_dim" in {FROM_DATA[key] for key in known}
        self.loss = _build(what, cls, known | options)
        self.miner = miner_cls and _build(f"miner {miner}", miner_cls, miner_options or {})

    def forward(self, batch: EmbeddedBatch) -> Tensor:
        """Return the loss as the package reduces it; for most of its losses, the mean over rows."""
        labels = part(batch, "labels", self)
        # At least float32 also because the package casts its class vectors to what it gets.
        items = full(batch.query)
        with _quiet():
            value: Tensor = self.loss(items, labels, self.miner and self.miner(items, labels))
        return value


def options_of(cls: type) -> dict[str, Parameter]:
    """What a loss or miner of the package takes from the user."""
    # mat_based_loss is handed from a pair loss to its base; stats are for its own trainers.
    hidden = {*FROM_DATA, "mat_based_loss", "collect_stats"}
    return {name: p for name, p in parameters_of(cls).items() if name not in hidden}


def _from_data(
    what: str, cls: type, num_classes: int | None, embedding_dim: int | None
) -> tuple[dict[str, int], list[str]]:
    ours = {"num_classes": num_classes, "embedding_dim": embedding_dim}
    known: dict[str, int] = {}
    faults = []
    for theirs, parameter in parameters_of(cls).items():
        value = ours.get(FROM_DATA.get(theirs, ""))
        if value is not None:
            known[theirs] = value
        elif theirs in FROM_DATA and parameter.default is Parameter.empty:
            faults.append(f"{what} has a vector for each class and needs {FROM_DATA[theirs]}")
    return known, faults


def _name_faults(what: str, options: Mapping[str, Any]) -> list[str]:
    return [
        fault
        for option, (_, choices) in BY_NAME.items()
        if isinstance(value := options.get(option), str)
        for fault in one_of(what, option, value, choices)
    ]


def _build(what: str, cls: type, options: Mapping[str, Any]) -> Any:
    import pytorch_metric_learning as package
    from pytorch_metric_learning import distances, reducers  # noqa: F401  (attributes of package)

    values = dict(options)
    for option, (module, _) in BY_NAME.items():
        if isinstance(values.get(option), str):
            values[option] = getattr(getattr(package, module), values[option])()
    try:
        with _quiet():
            return cls(**values)
    except (TypeError, ValueError, AssertionError) as error:
        raise SpecError([f"{what} refuses its options: {error}"]) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Some losses use calls that numpy and torch have deprecated; no user can change that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Using a non-tuple sequence")
        yield
