"""Embeddings kept on disk by space and content, within a size limit. Embeds nothing."""

import logging
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
import pyarrow as pa

from nearer.encoder.content import KEY_BYTES
from nearer.encoder.room import make_room
from nearer.encoder.sizes import parse_size

LIMIT = "8GiB"
"""Default size limit; a million pairs of 70 bytes take 170 MB, prepared and tokenised."""

FORMAT = "embeddings-1"
"""Folder of the cache; another format gets another one."""

LOGGER = logging.getLogger("nearer")


@dataclass(frozen=True)
class Usage:
    """What the store holds of one model.

    Attributes:
        model: Short name of the model that embedded.
        states: In how many states: of its weights, but also of prompt, length and precision.
        rows: Embeddings.
        size: Bytes on disk.
        used: When they were last asked for, seconds since 1970.
    """

    model: str
    states: int
    rows: int
    size: int
    used: float


class EmbeddingStore:
    """A folder of Arrow files, one for each set of embeddings that was added.

    A file is written whole or not at all and never changed, so any number of processes may share a
    store. Beyond the limit the files go that were not asked for longest. What cannot be read is
    taken for missing, and a store that cannot be written (a full disk, no rights) says so once.

    Args:
        folder: Where the files are; made when the first is written.
        limit: Bytes of all files together.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder / FORMAT, limit
        self._opened: dict[str, dict[str, _Part]] = {}
        self._told = False

    def find(self, space: str, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Look embeddings up.

        Args:
            space: Name of the space.
            keys: Shape (n, 16), uint8; see `content_keys`.

        Returns:
            Which of them were found, shape (n,), bool; their embeddings, shape (found, dimension),
            float32.
        """
        found = np.zeros(len(keys), dtype=bool)
        where: list[tuple[np.ndarray, np.ndarray]] = []
        for part in self._parts(space):
            left = np.flatnonzero(~found)
            if not len(left):
                break
            place = part.places(keys[left])
            hit = place >= 0
            if hit.any():
                found[left[hit]] = True
                where.append((left[hit], part.embeddings[place[hit]]))
                part.touch()
        if not where:
            return found, np.empty((0, 0), dtype=np.float32)
        width = where[0][1].shape[1]
        embeddings = np.empty((len(keys), width), dtype=np.float32)
        for rows, values in where:
            embeddings[rows] = values
        return found, embeddings[found]

    def add(
        self, space: str, keys: np.ndarray, embeddings: np.ndarray, about: Mapping[str, str]
    ) -> None:
        """Keep embeddings, and let the oldest go that are beyond the limit.

        Args:
            space: Name of the space.
            keys: Shape (n, 16), uint8.
            embeddings: Shape (n, dimension), float32. Any that are not finite are not kept.
            about: The short name of the "model", for those who look.
        """
        size = embeddings.nbytes + keys.nbytes
        if not len(keys) or size > self.limit or not np.isfinite(embeddings).all():
            return
        table = pa.table(
            {
                "key": pa.FixedSizeBinaryArray.from_buffers(
                    pa.binary(KEY_BYTES), len(keys), [None, pa.py_buffer(keys.tobytes())]
                ),
                "embedding": pa.FixedSizeListArray.from_arrays(
                    pa.array(np.ascontiguousarray(embeddings, np.float32).reshape(-1)),
                    embeddings.shape[1],
                ),
            }
        ).replace_schema_metadata(dict(about))
        name = uuid.uuid4().hex
        path = self.folder / space / f"{name}.arrow"
        temporary = path.with_name(f".{name}.tmp")
        try:
            make_room(self.folder.parent, size, self.limit)
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                with pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table, max_chunksize=len(keys))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            if not self._told:
                self._told = True
                LOGGER.warning("embeddings are not kept in %s: %s", self.folder, error)

    def usage(self) -> list[Usage]:
        """What is held, a line for each model; the last used first."""
        held: dict[str, list[list[_Part]]] = {}
        for folder in self.folder.glob("*"):
            parts = list(self._parts(folder.name))
            if parts:
                held.setdefault(parts[0].about.get("model", "?"), []).append(parts)
        lines = []
        for model, spaces in held.items():
            flat = [part for parts in spaces for part in parts]
            rows, size = sum(len(part.keys) for part in flat), sum(part.size for part in flat)
            lines.append(Usage(model, len(spaces), rows, size, max(part.used for part in flat)))
        return sorted(lines, key=lambda line: (-line.used, line.model))

    def clear(self) -> int:
        """Remove everything; says how many bytes that was."""
        size = sum(stat.st_size for _, stat in self._files())
        self._opened.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        return size

    def _parts(self, space: str) -> Iterator["_Part"]:
        """The files of a space, the newest first, mapped into memory; opened once."""
        opened = self._opened.setdefault(space, {})
        paths = {path.name: path for path in (self.folder / space).glob("*.arrow")}
        for name in opened.keys() - paths.keys():
            del opened[name]
        for name, path in paths.items():
            if name not in opened:
                try:
                    opened[name] = _Part(path)
                except (OSError, pa.ArrowInvalid, KeyError, ValueError):
                    path.unlink(missing_ok=True)
        yield from sorted(opened.values(), key=lambda part: -part.written)

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.glob("*/*"):
            try:
                yield path, path.stat()
            except FileNotFoundError:  # another process made room
                continue


class _Part:
    """One file, mapped into memory: keys that can be looked up, and their embeddings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        stat = path.stat()
        self.size, self.used, self.written = stat.st_size, stat.st_mtime, stat.st_mtime_ns
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        metadata = table.schema.metadata or {}
        self.about = {name.decode(): value.decode() for name, value in metadata.items()}
        key, embedding = (table.column(name).combine_chunks() for name in ("key", "embedding"))
        data = np.frombuffer(key.buffers()[1], dtype=np.uint64, count=2 * len(key))
        self.keys = data.reshape(-1, 2)
        self.embeddings = embedding.flatten().to_numpy().reshape(len(key), -1)
        self._order = np.argsort(self.keys[:, 0], kind="stable")
        self._first = self.keys[self._order, 0]

    def places(self, keys: np.ndarray) -> np.ndarray:
        """Row of each key, -1 where it is not here."""
        halves = np.ascontiguousarray(keys).view(np.uint64)
        place = np.minimum(np.searchsorted(self._first, halves[:, 0]), len(self._first) - 1)
        rows = self._order[place]
        same = (self.keys[rows] == halves).all(axis=1)
        return np.where(same, rows, -1)

    def touch(self) -> None:
        """Note that it was asked for."""
        with suppress(OSError):  # gone, or a store that may only be read
            os.utime(self.path)


def default_store() -> EmbeddingStore | None:
    """The user's store: `NEARER_CACHE`, else the user's cache folder; None where its size is 0.

    Raises:
        UsageError: `NEARER_CACHE_SIZE` is not a size.
    """
    folder, limit = cache_folder_and_limit()
    return EmbeddingStore(folder, limit) if limit else None


def cache_folder_and_limit() -> tuple[Path, int]:
    """Folder and size of the user's cache, embeddings and all else that is kept.

    Raises:
        UsageError: `NEARER_CACHE_SIZE` is not a size.
    """
    limit = parse_size(os.environ.get("NEARER_CACHE_SIZE") or LIMIT, "NEARER_CACHE_SIZE")
    return cache_folder(), limit


def cache_folder() -> Path:
    """`NEARER_CACHE`, else the user's cache folder; it may not be there yet."""
    given = os.environ.get("NEARER_CACHE")
    folder = Path(given) if given else Path(platformdirs.user_cache_dir("nearer", appauthor=False))
    return folder.expanduser().absolute()
