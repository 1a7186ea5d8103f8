"""Pictures as training sees them: another part, mirrored, in other light. Decodes no files."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from nearer.encoder.augmentation import Augmentation

LONGEST = 4 / 3
"""Largest ratio of the sides of the part that is cut out."""

LIGHT = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


@dataclass(frozen=True)
class View:
    """A picture as one row of one epoch sees it.

    What is drawn depends on `seed` alone: not on threads, other pictures, or what came before.

    Attributes:
        picture: A path, bytes, or a picture in memory.
        seed: What the random numbers come from: seed, epoch, row.
        how: What may be done.
    """

    picture: Any
    seed: tuple[int, int, int]
    how: Augmentation

    def of(self, picture: Image.Image, size: int | None = None) -> Image.Image:
        """Draw the view of the picture, decoded.

        Args:
            picture: In RGB.
            size: Side of the square to make; None: about as many pixels as the part has.
        """
        seed, epoch, row = self.seed
        sequence = np.random.SeedSequence(seed, spawn_key=(epoch, row))
        random = np.random.Generator(np.random.PCG64(sequence))
        box = _box(picture.size, self.how.crop, random)
        flip = random.random() < self.how.flip
        factors = 1 + self.how.colour * random.uniform(-1, 1, 3)
        side = size or max(1, round(math.sqrt((box[2] - box[0]) * (box[3] - box[1]))))
        made = picture.resize((side, side), Image.Resampling.BICUBIC, box=box)
        if flip:
            made = made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.how.colour:
            for kind, factor in zip(LIGHT, factors.tolist(), strict=True):
                made = kind(made).enhance(factor)
        return made


def _box(
    size: tuple[int, int], least: float, random: np.random.Generator
) -> tuple[float, float, float, float]:
    """A part of a picture: its share of the area, its shape and its place are drawn."""
    width, height = size
    area = width * height * random.uniform(least, 1)
    ratio = math.exp(random.uniform(-1, 1) * math.log(LONGEST)) if least < 1 else width / height
    wide, high = min(width, math.sqrt(area * ratio)), min(height, math.sqrt(area / ratio))
    left, top = random.random() * (width - wide), random.random() * (height - high)
    return left, top, min(width, left + wide), min(height, top + high)  # rounding may go beyond
