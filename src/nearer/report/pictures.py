"""Pictures of a page: small copies inside of it, as many as there is room for."""

import base64
import io
from functools import lru_cache

from PIL import Image

SIDE = 96
ROOM = 1_500_000
"""Bytes for all pictures of a page."""


class Thumbnails:
    """Makes thumbnails until the room is used up.

    Args:
        room: Bytes for all of them together.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._left = room

    def of(self, path: str) -> str:
        """A thumbnail as a data: URI; "" where the picture can't be read or there is no room."""
        made = _made(path)
        if len(made) > self._left:
            return ""
        self._left -= len(made)
        return made


@lru_cache(maxsize=512)
def _made(path: str) -> str:
    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * SIDE, 2 * SIDE))  # a large JPEG need not be decoded whole
            image.thumbnail((SIDE, SIDE))
            has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
            flat = Image.new("RGB", image.size, "white")
            copy = image.convert("RGBA" if has_alpha else "RGB")
            flat.paste(copy, mask=copy if has_alpha else None)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""  # the path is said anyway
    file = io.BytesIO()
    flat.save(file, "JPEG", quality=70)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
