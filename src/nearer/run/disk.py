"""Disks that are full, read-only or broken: what failed, in our words. Writes nothing itself."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearer.errors import ArtifactError, NearerError

FAULTS = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "EFBIG")
    if hasattr(errno, name)
}


def is_disk_fault(error: BaseException) -> bool:
    """Whether the disk is at fault, and not the path or the network."""
    return isinstance(error, OSError) and error.errno in FAULTS


def disk_fault(error: OSError, folder: Path) -> NearerError:
    """An error of the disk that ends a run, with its notes."""
    told = NearerError(
        f"{_said(error)}, while run {folder} was written; make room there, or choose another "
        "runs_dir, and start again"
    )
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told


@contextmanager
def artifact_is_whole(folder: Path) -> Iterator[None]:
    """Say in our words why an artifact could not be written; the old one, if any, is still there.

    Raises:
        ArtifactError: The disk is at fault, as the writers of weights and tokenizers say in errors
            of their own, which are no OSErrors.
    """
    try:
        yield
    except Exception as error:
        if not (isinstance(error, OSError) or "os error" in str(error)):
            raise
        said = _said(error) if isinstance(error, OSError) else str(error)
        raise ArtifactError(
            f"the artifact {folder} could not be written: {said}; make room there and start again"
        ) from error


def _said(error: OSError) -> str:
    where = "" if error.filename is None else f" ({error.filename})"
    return f"{error.strerror or error}{where}"
