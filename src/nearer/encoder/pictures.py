"""Decoding pictures from files, within limits. Resizes and cuts nothing."""

from pathlib import Path
from typing import Any

from PIL import Image

from nearer.errors import DataError

RUNS_A_PROGRAM = ("EPS", "WMF")
"""Formats that Pillow hands to another program of the system; `data/cells.py` refuses them too."""


def rgb_of(item: Any) -> Image.Image:
    """A picture in RGB from what stands for it in data: a path, or a picture in memory.

    Raises:
        DataError: It is neither, or cannot be decoded.
    """
    if isinstance(item, Image.Image):
        return item.convert("RGB")
    if not isinstance(item, Path):
        raise DataError(f"{str(item)[:80]!r} is a {type(item).__name__}, where a picture must be")
    return open_picture(item)


def open_picture(path: Path) -> Image.Image:
    """Decode a picture to RGB.

    Raises:
        DataError: It cannot be decoded, breaks off, or has more pixels than Pillow takes for safe
            (`PIL.Image.MAX_IMAGE_PIXELS`, 89 million).
    """
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:
                raise Image.DecompressionBombError
            if picture.format in RUNS_A_PROGRAM:
                raise ValueError(f"pictures in {picture.format} are not decoded")
            return picture.convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f"{path}: the picture has too many pixels to be decoded safely (more than "
            f"{Image.MAX_IMAGE_PIXELS:,}). Make it smaller."
        ) from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except Exception as error:  # Pillow raises what its many decoders raise
        said = str(error).split("\n")[0].replace(str(path), path.name)
        raise DataError(
            f"{path}: cannot be decoded as a picture ({said}). Save it anew."
        ) from error
