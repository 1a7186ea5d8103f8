"""Models whose architecture and weights installed packages carry: built by a recipe."""

from typing import Any

import torch
from torch import Tensor, nn

from nearer.encoder.catalog import find_entry, locate
from nearer.encoder.heads import HEADS, with_head
from nearer.encoder.pooling import POOLINGS, MapPooling, PoolingName
from nearer.encoder.preprocessing import Preprocessing
from nearer.encoder.vision import PictureEncoder, PictureModel
from nearer.errors import ModelError


class _LiteBody(nn.Module):
    """EfficientNet-Lite up to its last map."""

    def __init__(self, name: str) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        self.network = EfficientNet.from_name(name)

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.network.extract_features(pixels)
        return features


def build_packaged(
    model: str,
    name: str | None = None,
    pooling: PoolingName = "mean",
    *,
    weights: bool = True,
) -> PictureEncoder:
    """Build a picture model of the catalog.

    Args:
        model: Its name in the catalog.
        name: Prefix of the metrics; default: the same.
        pooling: "mean", "max" or "gem".
        weights: Whether to load the pretrained ones; without, they are drawn at random.

    Raises:
        ModelError: A package is missing, or its weights cannot be read.
        SpecError: There is no such pooling of a map.
    """
    source, entry = locate(model)
    assert entry is not None
    body = _LiteBody(entry.name)
    if weights:
        try:
            body.network.load_state_dict(torch.load(source, weights_only=True))
        except Exception as error:  # what a damaged archive makes torch raise
            said = str(error).strip().split("\n")[0]
            raise ModelError(
                f"the weights of {model} cannot be read ({said}); install {entry.package} anew"
            ) from error
    body.network._fc = nn.Identity()  # the classifier of ImageNet; never asked for
    # The mean and deviation that the original was trained with, not those of ImageNet.
    module = PictureModel(body, MapPooling(pooling), mean=127.0, std=128.0)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    recipe: dict[str, Any] = {"catalog": entry.name, "pooling": pooling, "heads": []}
    return PictureEncoder(module, Preprocessing(), name or entry.name, entry.dimension, recipe)


def rebuilt(recipe: dict[str, Any], name: str) -> PictureEncoder:
    """Build what a recipe describes, with weights that are still to be loaded.

    Raises:
        ModelError: A package is missing, or this version knows no such model.
    """
    kinds = {kind for kind, _ in recipe["heads"]}
    known = recipe["pooling"] in POOLINGS and kinds <= set(HEADS)
    if not (known and is_packaged(recipe["catalog"])):
        raise ModelError(
            f'it is made from "{recipe["catalog"]}", which this nearer cannot build; upgrade it'
        )
    encoder = build_packaged(recipe["catalog"], name, recipe["pooling"], weights=False)
    for kind, output_dim in recipe["heads"]:
        headed = with_head(encoder, output_dim, kind)
        assert isinstance(headed, PictureEncoder)
        headed.head = False  # it is not new
        encoder = headed
    return encoder


def is_packaged(model: str) -> bool:
    """Whether a model is built from packages, not loaded from a folder."""
    entry = find_entry(model)
    return entry is not None and entry.architecture is not None
