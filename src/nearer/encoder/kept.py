"""Folders kept on disk by what they were made of: prepared data, tokens. Makes none of them."""

import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import xxhash

from nearer.encoder.room import ABOUT, make_room, size_of
from nearer.encoder.sizes import in_words
from nearer.encoder.store import cache_folder_and_limit

LOGGER = logging.getLogger("nearer")

T = TypeVar("T")


@dataclass(frozen=True)
class KeptUsage:
    """One folder that is kept.

    Attributes:
        what: What it is of: the name of a file, or of a model and the texts.
        kind: "data" or "tokens".
        size: Bytes on disk.
        used: When it was last asked for, seconds since 1970.
    """

    what: str
    kind: str
    size: int
    used: float


class KeptFolders:
    """A folder of folders, each made once and mapped from then on.

    One is written whole or not at all and never changed, so any number of processes may share
    them. Beyond the limit those go that were not asked for longest, embeddings included. What is
    larger than the limit by itself serves the run that made it and is not kept.

    Args:
        folder: The cache's folder.
        limit: Bytes of all that is in it.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit

    def get(
        self,
        kind: str,
        key: str,
        fill: Callable[[Path], None],
        load: Callable[[Path], T],
        about: str,
    ) -> T | None:
        """Load what is kept under a key, or make it.

        Args:
            kind: Folder for things of one format, such as "tokens-1".
            key: Everything that the content depends on.
            fill: Writes the content into an empty folder.
            load: Gives what is in a folder; must only hold on to mapped files.
            about: What it is of, for those who look.

        Returns:
            What `load` gave; None where nothing can be written (a full disk, no rights), which is
            said once.
        """
        place = self.folder / kind / xxhash.xxh3_128_hexdigest(key.encode())
        if place.is_dir():
            try:
                loaded = load(place)
            except (OSError, ValueError, KeyError):  # damaged: it is made again
                shutil.rmtree(place, ignore_errors=True)
            else:
                with suppress(OSError):  # a cache that may only be read
                    os.utime(place / ABOUT)
                return loaded
        temporary = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            temporary.mkdir(parents=True)
            fill(temporary)
            (temporary / ABOUT).write_text(json.dumps({"what": about}), encoding="utf-8")
            return self._settle(temporary, place, load, about)
        except OSError as error:
            LOGGER.warning("nothing is kept in %s: %s", self.folder, error)
            return None
        finally:
            # Where it has not become `place`; what is mapped stays readable where systems allow.
            shutil.rmtree(temporary, ignore_errors=True)

    def usage(self) -> list[KeptUsage]:
        """What is kept, the last used first."""
        found = []
        for path in self.folder.glob(f"*/*/{ABOUT}"):
            with suppress(OSError, ValueError):
                what = json.loads(path.read_text(encoding="utf-8"))["what"]
                kind = path.parent.parent.name.rpartition("-")[0]
                used = path.stat().st_mtime
                found.append(KeptUsage(what, kind, size_of(path.parent), used))
        return sorted(found, key=lambda line: (-line.used, line.what))

    def clear(self) -> int:
        """Remove everything; says how many bytes that was."""
        size = sum(line.size for line in self.usage())
        for path in self.folder.glob(f"*/*/{ABOUT}"):
            shutil.rmtree(path.parent, ignore_errors=True)
        for path in self.folder.glob("*/.*.tmp"):
            shutil.rmtree(path, ignore_errors=True)
        return size

    def _settle(self, temporary: Path, place: Path, load: Callable[[Path], T], about: str) -> T:
        size = size_of(temporary)
        if size > self.limit:
            LOGGER.warning(
                "%s: what was made of it (%s) is not kept for the next run, as the cache may hold "
                "%s; NEARER_CACHE_SIZE sets that",
                about,
                in_words(size),
                in_words(self.limit),
            )
            return load(temporary)
        make_room(self.folder, size, self.limit)
        for file in temporary.iterdir():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
        try:
            temporary.rename(place)
        except OSError:
            if not place.is_dir():  # else another process was faster, with the same content
                raise
        return load(place)


def default_kept() -> KeptFolders | None:
    """The user's cache: `NEARER_CACHE`, else the user's cache folder; None where its size is 0.

    Raises:
        UsageError: `NEARER_CACHE_SIZE` is not a size.
    """
    folder, limit = cache_folder_and_limit()
    return KeptFolders(folder, limit) if limit else None
