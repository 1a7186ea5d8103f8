"""Models whose architecture and weights installed packages carry: built by a recipe."""

from typing import Any

import torch
from torch import Tensor, nn

from nearer.encoder.catalog import find_entry, locate
from nearer.encoder.heads import HEADS, with_head
from nearer.encoder.pooling import POOLINGS, MapPooling, PoolingName
from nearer.encoder.preprocessing import FRAMINGS, Framing, Preprocessing
from nearer.encoder.protocol import Encoder
from nearer.encoder.vision import PictureEncoder, PictureModel
from nearer.errors import ModelError, SpecError


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
    framing: Framing = "crop",
    *,
    weights: bool = True,
) -> PictureEncoder:
    """Build a picture model of the catalog.

    Args:
        model: Its name in the catalog.
        name: Prefix of the metrics; default: the same.
        pooling: "mean", "max" or "gem".
        framing: "crop" or "pad".
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
    if framing != "crop":  # artifacts of before say nothing
        recipe["framing"] = framing
    prepare = Preprocessing(framing=framing)
    return PictureEncoder(module, prepare, name or entry.name, entry.dimension, recipe)


def rebuilt(recipe: dict[str, Any], name: str) -> PictureEncoder:
    """Build what a recipe describes, with weights that are still to be loaded.

    Raises:
        ModelError: A package is missing, or this version knows no such model.
    """
    kinds = {kind for kind, _ in recipe["heads"]}
    framing = recipe.get("framing", "crop")
    known = recipe["pooling"] in POOLINGS and framing in FRAMINGS and kinds <= set(HEADS)
    if not (known and is_packaged(recipe["catalog"])):
        raise ModelError(
            f'it is made from "{recipe["catalog"]}", which this nearer cannot build; upgrade it'
        )
    encoder = build_packaged(recipe["catalog"], name, recipe["pooling"], framing, weights=False)
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


def check_pooling(encoder: Encoder, pooling: PoolingName) -> None:
    """Raise SpecError unless it was built with this pooling: no other can be changed."""
    if not (isinstance(encoder, PictureEncoder) and encoder.recipe["pooling"] == pooling):
        raise SpecError([f"pooling: that of {encoder.name} cannot be changed; leave pooling out"])


def check_framing(encoder: Encoder, framing: Framing) -> None:
    """Raise SpecError unless it was built with this framing: no other can be changed."""
    if not isinstance(encoder, PictureEncoder):
        raise SpecError([f"framing: {encoder.name} frames its pictures itself; leave framing out"])
    known = encoder.preprocessing.framing
    if known != framing:
        raise SpecError([f"framing: {encoder.name} was trained with {known}; leave framing out"])
