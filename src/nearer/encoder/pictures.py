"""Decoding pictures, within limits, to upright RGB on white. Resizes and cuts nothing."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from nearer.errors import DataError

RUNS_A_PROGRAM = ("EPS", "WMF")
"""Formats that Pillow hands to another program of the system; `data/cells.py` refuses them too."""


def rgb_of(item: Any) -> Image.Image:
    """A picture as it is looked at: upright, in RGB, what is transparent on white.

    Args:
        item: A path, the bytes of a file, or a picture in memory.

    Raises:
        DataError: It is none of these, cannot be decoded, breaks off, or has more pixels than
            Pillow takes for safe (`PIL.Image.MAX_IMAGE_PIXELS`, 89 million).
    """
    if isinstance(item, Image.Image):
        return _rgb(item)
    if not isinstance(item, Path | bytes):
        raise DataError(
            f"{str(item)[:80]!r} is a {type(item).__name__}, where a picture has to be: a path "
            "(pathlib.Path), the bytes of a file, or a PIL.Image"
        )
    name = str(item) if isinstance(item, Path) else f"a picture of {len(item):,} bytes"
    try:
        with Image.open(item if isinstance(item, Path) else BytesIO(item)) as picture:
            width, height = picture.size
            if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:
                raise Image.DecompressionBombError
            if picture.format in RUNS_A_PROGRAM:
                raise ValueError(f"pictures in {picture.format} are not decoded")
            return _rgb(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f"{name}: the picture has too many pixels to be decoded safely (more than "
            f"{Image.MAX_IMAGE_PIXELS:,}). Make it smaller."
        ) from error
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file.") from error
    except Exception as error:  # Pillow raises what its many decoders raise
        said = str(error).split("\n")[0].replace(name, Path(name).name)
        raise DataError(
            f"{name}: cannot be decoded as a picture ({said}). Save it anew."
        ) from error


def _rgb(picture: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(picture)  # a camera notes how it was held
    if upright.mode.startswith(("I", "F")):
        upright = _eight_bits(upright)
    if upright.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in upright.info:
        clear = upright.convert("RGBA")
        white = Image.new("RGB", clear.size, "white")
        white.paste(clear, mask=clear.getchannel("A"))
        return white
    return upright.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Greys of 16 bits or of numbers, which Pillow would cut off at 255."""
    values = np.asarray(picture, dtype=np.float64)
    most = float(values.max(initial=0))
    scale = 255 if most <= 1 and picture.mode == "F" else 1 if most <= 255 else 1 / 257
    return Image.fromarray(np.clip(values * scale, 0, 255).astype(np.uint8))
