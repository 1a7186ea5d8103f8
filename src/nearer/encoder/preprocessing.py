"""From pictures to pixels of one size: resized and cut, on threads. Decodes no files itself."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nearer.encoder.pictures import rgb_of
from nearer.encoder.views import View

Framing = Literal["crop", "pad"]
FRAMINGS: tuple[str, ...] = get_args(Framing)

THREADS = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4)
"""Pictures decoded at a time; Pillow lets go of the interpreter's lock while it decodes."""


@dataclass(frozen=True)
class Preprocessing:
    """What a picture model wants to be given: a square of bytes.

    Attributes:
        size: Side of the square, in pixels.
        crop: Share of the shorter side that the square covers.
        framing: "crop" takes the middle of a picture, "pad" all of it, on white.

    Example:
        >>> Preprocessing(8)([Image.new("RGB", (40, 20), "red")]).shape
        torch.Size([1, 3, 8, 8])
    """

    size: int = 224
    crop: float = 0.875
    framing: Framing = "crop"

    def __call__(self, items: Sequence[Any]) -> Tensor:
        """Decode and cut pictures: shape (n, 3, size, size), uint8.

        Raises:
            DataError: One cannot be decoded; the first in order is named.
        """
        with ThreadPoolExecutor(THREADS, "nearer-pictures") as pool:
            pixels = list(pool.map(self.square, items))
        if not pixels:
            return torch.empty((0, 3, self.size, self.size), dtype=torch.uint8)
        return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)

    def square(self, item: Any) -> np.ndarray:
        """One picture, or a view of one: shape (size, size, 3), uint8."""
        if isinstance(item, View):
            return np.asarray(item.of(self.framed(rgb_of(item.picture)), self.size))
        picture = self.framed(rgb_of(item))
        side = min(picture.size) * (self.crop if self.framing == "crop" else 1.0)
        left, top = ((length - side) / 2 for length in picture.size)
        box = (left, top, left + side, top + side)
        return np.asarray(picture.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box))

    def framed(self, picture: Image.Image) -> Image.Image:
        """The picture, or the picture in the middle of a white square."""
        width, height = picture.size
        if self.framing == "crop" or width == height:
            return picture
        side = max(width, height)
        square = Image.new("RGB", (side, side), "white")
        square.paste(picture, ((side - width) // 2, (side - height) // 2))
        return square
