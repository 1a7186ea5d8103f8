"""Models whose texts have to be padded to one width. Pads nothing itself."""

from collections.abc import Iterator
from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer

ONE_WIDTH = ("siglip", "siglip2")
"""Models that read the last place of a text and mask nothing: trained on one width alone."""


def pad_fully(model: SentenceTransformer) -> None:
    """Have texts padded to the model's own width, where it was trained so.

    sentence-transformers pads to the longest text of a batch. What SigLIP makes of a text would
    then depend on the others. The setting is part of the model and is saved with it.
    """
    for part in _transformers(model):
        if getattr(part.auto_model.config, "model_type", "") in ONE_WIDTH:
            given: dict[str, Any] = {**part.processing_kwargs}
            given["text"] = {"padding": "max_length", **given.get("text", {})}
            part.processing_kwargs = given


def padded_fully(model: SentenceTransformer) -> bool:
    """Whether all texts have one width, so that nothing may be cut off."""
    given = [part.processing_kwargs for part in _transformers(model)]
    return any(one.get("text", {}).get("padding") == "max_length" for one in given)


def _transformers(model: SentenceTransformer) -> Iterator[Transformer]:
    return (part for part in model if isinstance(part, Transformer))
