"""What may be done to pictures in training, and what is wrong with such a wish. Draws nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from nearer.errors import did_you_mean


@dataclass(frozen=True)
class Augmentation:
    """What may be done to a picture.

    Attributes:
        crop: Least share of a picture's area that is cut out; 1 cuts nothing away.
        flip: How often a picture is mirrored, 0 to 1.
        colour: How far brightness, contrast and saturation may move, 0 to 1.
    """

    crop: float = 0.35
    flip: float = 0.5
    colour: float = 0.2


def read_augmentation(value: bool | Mapping[str, Any]) -> Augmentation | None:
    """Read yes, no, or a table of options.

    Raises:
        ValueError: There is no such option, or one is out of range.

    Example:
        >>> read_augmentation(False), read_augmentation({"flip": 0}).flip
        (None, 0)
    """
    if isinstance(value, bool):
        return Augmentation() if value else None
    known = [field.name for field in fields(Augmentation)]
    for name, share in value.items():
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(f'has no "{name}"; there are {", ".join(known)}.{hint}')
        number = isinstance(share, int | float) and not isinstance(share, bool)
        if not (number and 0 <= share <= 1) or (name == "crop" and not share):
            least = "more than 0 and at most 1" if name == "crop" else "0 to 1"
            raise ValueError(f"{name} {share!r}; must be {least}")
    return Augmentation(**value)
