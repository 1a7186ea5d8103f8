"""The names of losses and miners, as plain text: checked before torch is loaded. Builds nothing."""

import re
from collections.abc import Iterable

from nearer.errors import SpecError, UnknownName, did_you_mean

OURS: dict[str, str] = {
    "InfoNCE": "nearer.losses.contrastive",
    "Triplet": "nearer.losses.triplet",
    "CoSENT": "nearer.losses.scored",
    "CosineSimilarity": "nearer.losses.scored",
    "MarginMSE": "nearer.losses.distillation",
    "SigLIP": "nearer.losses.sigmoid",
}
"""Our losses and the module each lives in; a new loss is listed here and nowhere else."""

METRIC_LEARNING: tuple[str, ...] = (
    "AngularLoss",
    "ArcFaceLoss",
    "CircleLoss",
    "ContrastiveLoss",
    "CosFaceLoss",
    "FastAPLoss",
    "GeneralizedLiftedStructureLoss",
    "HistogramLoss",
    "IntraPairVarianceLoss",
    "LargeMarginSoftmaxLoss",
    "LiftedStructureLoss",
    "MarginLoss",
    "MultiSimilarityLoss",
    "NCALoss",
    "NPairsLoss",
    "NTXentLoss",
    "NormalizedSoftmaxLoss",
    "P2SGradLoss",
    "PNPLoss",
    "ProxyAnchorLoss",
    "ProxyNCALoss",
    "RankedListLoss",
    "SignalToNoiseRatioContrastiveLoss",
    "SoftTripleLoss",
    "SphereFaceLoss",
    "SubCenterArcFaceLoss",
    "SupConLoss",
    "ThresholdConsistentMarginLoss",
    "TripletMarginLoss",
    "TupletMarginLoss",
)
"""Losses of pytorch-metric-learning that work on (embeddings, labels); a test holds it equal."""

UNUSABLE: dict[str, str] = {
    "CrossBatchMemory": "it wraps another loss and keeps embeddings of earlier batches",
    "DynamicSoftMarginLoss": "it keeps the graph of the last batch, so its second step fails",
    "GenericPairLoss": "it is the base of the pair losses and does nothing by itself",
    "InstanceLoss": "it takes the number of a class for the number of a row of the batch",
    "ManifoldLoss": "it takes no labels",
    "MultipleLosses": "it wraps other losses",
    "SelfSupervisedLoss": "it wraps another loss and takes no labels",
    "SmoothAPLoss": "it wants the batch sorted by class, all classes of equal size",
    "VICRegLoss": "it compares two views of each item and takes no labels",
}
"""Losses of pytorch-metric-learning that cannot learn from one labelled batch, and why."""

WITHOUT_MINER: tuple[str, ...] = ("P2SGradLoss", "PNPLoss", "RankedListLoss")
"""Those that choose their own pairs and refuse mined ones."""

MINERS: tuple[str, ...] = (
    "AngularMiner",
    "BatchEasyHardMiner",
    "BatchHardMiner",
    "DistanceWeightedMiner",
    "HDCMiner",
    "MultiSimilarityMiner",
    "PairMarginMiner",
    "TripletMarginMiner",
    "UniformHistogramMiner",
)
"""Miners of pytorch-metric-learning that choose pairs or triplets by labels."""


def loss_name(name: str) -> str:
    """The proper spelling of a loss; upper and lower case, `_`, `-` and a final "Loss" are free.

    Raises:
        UnknownName: There is no such loss.
        SpecError: There is, but it cannot learn from one labelled batch.

    Example:
        >>> loss_name("infonce"), loss_name("supcon")
        ('InfoNCE', 'SupConLoss')
    """
    known = [*OURS, *METRIC_LEARNING]
    spelled = {_key(n): n for n in [*known, *UNUSABLE]}.get(_key(name))
    if spelled in UNUSABLE:
        raise SpecError(
            [
                f"loss {spelled} of pytorch-metric-learning cannot be used: {UNUSABLE[spelled]}; "
                f"the losses for labelled data are {', '.join(METRIC_LEARNING)}"
            ]
        )
    if spelled is None:
        raise UnknownName(
            f'no loss "{name}"; there are {", ".join(OURS)}, and for labelled data '
            f"{', '.join(METRIC_LEARNING)}.{hint(name, known)}"
        )
    return spelled


def miner_name(name: str) -> str:
    """The proper spelling of a miner; upper and lower case and a final "Miner" are free.

    Raises:
        UnknownName: There is no such miner.
    """
    spelled = {_key(n): n for n in MINERS}.get(_key(name))
    if spelled is None:
        raise UnknownName(f'no miner "{name}"; there are {", ".join(MINERS)}.{hint(name, MINERS)}')
    return spelled


def hint(name: str, known: Iterable[str]) -> str:
    """`did_you_mean` that looks past upper and lower case."""
    by_lower = {k.lower(): k for k in known}
    text = did_you_mean(name.lower(), by_lower)
    return re.sub('"(.*)"', lambda match: f'"{by_lower[match[1]]}"', text)


def _key(name: str) -> str:
    plain = name.lower().replace("_", "").replace("-", "")
    return plain.removesuffix("loss").removesuffix("miner")
