"""What items are equal: a hash of each text or picture. Embeds nothing, keeps no embeddings."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nearer.encoder.pictures import rgb_of

KEY_BYTES = 16
"""Length of a key; of a billion different items two have the same with a chance of 1e-21."""

PICTURES = 1 << 20
"""Pictures whose hashes are remembered while their files stand as they are."""


def content_keys(items: Iterable[Any]) -> np.ndarray:
    """Hash each item by its content.

    Of a text that is its characters; of a picture (a path) the bytes of its file, so the same
    picture under two names is the same item, and a file that was replaced is another one.

    Args:
        items: Texts, and pictures: paths, the bytes of files, or pictures of Pillow.

    Returns:
        Shape (n, 16), uint8 (BLAKE2b).

    Raises:
        OSError: A picture's file cannot be read.

    Example:
        >>> first, second, third = content_keys(["red", "green", "red"])
        >>> bool((first == third).all()), bool((first == second).all())
        (True, False)
    """
    digests = b"".join(_digest(item) for item in items)
    return np.frombuffer(digests, dtype=np.uint8).reshape(-1, KEY_BYTES)


def _digest(item: Any) -> bytes:
    if isinstance(item, str):
        content = item.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()
    if isinstance(item, bytes):  # of the same picture in a file the key is the same
        return hashlib.blake2b(item, digest_size=KEY_BYTES, person=b"picture").digest()
    if hasattr(item, "getexif"):  # a picture of Pillow, by what one sees
        item = rgb_of(item)
    if isinstance(item, Path):
        stat = item.stat()
        return _of_file(str(item), stat.st_mtime_ns, stat.st_size)
    shape = f"{type(item).__qualname__}{getattr(item, 'size', '')}{getattr(item, 'mode', '')}"
    content = item.tobytes() if hasattr(item, "tobytes") else repr(item).encode()
    return hashlib.blake2b(content, digest_size=KEY_BYTES, person=shape.encode()[:16]).digest()


@lru_cache(PICTURES)
def _of_file(path: str, modified: int, size: int) -> bytes:
    """Hash a file; time and size are there so that one that was replaced is read again."""
    with open(path, "rb") as file:
        # A text of the same bytes is another item.
        key = hashlib.blake2b(b"", digest_size=KEY_BYTES, person=b"picture")
        while block := file.read(1 << 20):
            key.update(block)
    return key.digest()
