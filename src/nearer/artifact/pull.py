"""Fetching an artifact from a remote place into the cache: manifest first, every hash checked.

What was fetched is kept by the hash of its manifest, so that it is fetched once.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from nearer.artifact.manifest import (
    FILENAME,
    WAY_OUT,
    Manifest,
    check_names,
    parse_manifest,
    sha256_of,
    verify,
)
from nearer.artifact.remote import PIECE, Remote, open_remote
from nearer.encoder.room import ABOUT, make_room, size_of
from nearer.encoder.store import cache_folder_and_limit
from nearer.errors import ArtifactError, NearerError

KIND = "artifacts-1"
"""Folder of the cache; each artifact is a folder in it."""

_NOT_KEPT: list[tempfile.TemporaryDirectory[str]] = []
"""Where the cache has no size: gone with the process."""


def pull(url: str) -> Path:
    """Fetch an artifact, or find it in the cache.

    A pull that was cut off goes on where it was. Nothing is under its final name before all hashes
    are right.

    Args:
        url: Any of fsspec, or hf://user/repo.

    Returns:
        The artifact's folder, which is the cache's: not to be changed.

    Raises:
        ArtifactError: There is none, or what is there is not what its manifest says.
        NearerError: The network failed, or something is not allowed.

    Example:
        >>> nearer.load("s3://bucket/first").dimension  # doctest: +SKIP
        384
    """
    remote = open_remote(url)
    text = remote.read(FILENAME)
    if text is None:
        raise ArtifactError(
            f"{url} is not an artifact, or not a whole one: it has no {FILENAME}; check the "
            "address, or push it again"
        )
    manifest = parse_manifest(text, remote.at(FILENAME))
    _check(manifest, remote)
    folder, limit = cache_folder_and_limit()
    if not limit:
        _NOT_KEPT.append(tempfile.TemporaryDirectory(prefix="nearer-", ignore_cleanup_errors=True))
        folder = Path(_NOT_KEPT[-1].name)
    place = folder / KIND / hashlib.sha256(text).hexdigest()[:32]
    begun = place.with_name(f".{place.name}.tmp")
    try:
        begun.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(begun.with_suffix(".lock")):
            if not _is_whole(place / "artifact", manifest):
                shutil.rmtree(place, ignore_errors=True)
                (begun / "artifact").mkdir(parents=True, exist_ok=True)
                _fetch(remote, manifest, begun / "artifact")
                (begun / "artifact" / FILENAME).write_bytes(text)
                (begun / ABOUT).write_text(json.dumps({"what": url}), encoding="utf-8")
                if limit:
                    make_room(folder, size_of(begun), limit)
                begun.rename(place)
            os.utime(place / ABOUT)
    except OSError as error:
        raise NearerError(
            f"{url} cannot be kept in {folder}: {error.strerror or error}; make room there, or "
            "set NEARER_CACHE to another folder"
        ) from error
    return place / "artifact"


def _check(manifest: Manifest, remote: Remote) -> None:
    """Check that the names of a manifest that comes from elsewhere are those of files below it."""
    path = remote.at(FILENAME)
    check_names(manifest, path)
    for name in manifest.files:
        parts = name.split("/")
        if "\\" in name or not name.isprintable() or {"", "."} & {*parts} or name == FILENAME:
            raise ArtifactError(f"{path} names {name!r}, which can be no file of it; {WAY_OUT}")


def _is_whole(folder: Path, manifest: Manifest) -> bool:
    try:
        verify(folder, manifest)
    except ArtifactError:
        return False
    return (folder / FILENAME).is_file()


def _fetch(remote: Remote, manifest: Manifest, folder: Path) -> None:
    """Fetch the files that are not there yet, each into a part that is renamed when right."""
    for name, wanted in manifest.files.items():
        path = folder / name
        if path.is_file() and sha256_of(path) == wanted:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name[:200]}.part")
        begun_before = part.exists()
        _append(remote, name, part)
        if sha256_of(part) != wanted and begun_before:  # the beginning was of another time
            part.unlink()
            _append(remote, name, part)
        if sha256_of(part) != wanted:
            part.unlink()
            raise ArtifactError(
                f"{remote.at(name)} is damaged: its hash is not the one in {FILENAME}; push it "
                "again (while somebody pushes there, wait)"
            )
        part.replace(path)


def _append(remote: Remote, name: str, part: Path) -> None:
    """Fetch what is missing at the end of a part, piece by piece."""
    size = remote.size(name)
    with part.open("ab") as file:
        while size is None or file.tell() < size:
            start = file.tell()
            end = None if size is None else min(start + PIECE, size)
            # Without a size nothing says that the server can cut: all of it at once.
            piece = remote.read(name, None if size is None else start, end)
            if piece is None:
                raise ArtifactError(f"{remote.at(name)} is missing from the artifact; {WAY_OUT}")
            if size is not None and len(piece) != (end or 0) - start:
                raise ArtifactError(
                    f"{remote.at(name)}: the server sent {len(piece)} bytes for {end}-{start}; "
                    f"it cannot be read in pieces; {WAY_OUT}"
                )
            if size is None:
                file.truncate(0)
            file.write(piece)
            if size is None:
                return
