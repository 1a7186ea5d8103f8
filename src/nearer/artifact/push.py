"""Copying an artifact to a remote place: files first, the manifest last, nothing twice.

Who reads there sees no manifest until all is there. The hub has commits instead: hub.py.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nearer.artifact.address import check_url
from nearer.artifact.manifest import (
    FILENAME,
    Manifest,
    check_names,
    parse_manifest,
    read_manifest,
    verify,
)
from nearer.artifact.remote import Remote, open_remote
from nearer.errors import ArtifactError, NearerError, UsageError

STATE = ".nearer-push.json"
"""At the destination while a push is under way: whose it is, and which files are there whole."""


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes:
        url: Where the artifact is now.
        files: How many files were sent, the manifest included.
        size: Their bytes.
        kept: How many were there already.
    """

    url: str
    files: int
    size: int
    kept: int


@dataclass(frozen=True)
class There:
    """What a destination holds: of whom, and the hashes of the files that are whole."""

    owner: str
    files: Mapping[str, str]
    complete: bool = False


def push(folder: Path, url: str, *, force: bool = False) -> Pushed:
    """Copy an artifact to a URL, whole or not at all.

    A push that was cut off goes on where it was. The artifact of the same run is replaced; while
    that goes on there is no manifest, so that nobody reads a mixture.

    Args:
        folder: The artifact.
        url: Any of fsspec, or hf://user/repo.
        force: Replace whatever is there.

    Raises:
        ArtifactError: The artifact is damaged.
        UsageError: The destination holds something else, or is no place to push to.
        NearerError: The network failed, or something is not allowed.

    Example:
        >>> push(Path("runs/default/first/artifact"), "s3://bucket/first")  # doctest: +SKIP
    """
    manifest = read_manifest(folder)
    verify(folder, manifest)
    if check_url(url, to_push=True) == "hf":
        from nearer.artifact.hub import push_to_hub

        return push_to_hub(folder, manifest, url, force=force)
    remote = open_remote(url, to_push=True)
    there = look(remote)
    if not force:
        refuse_others(url, there, owner_of(manifest))
    kept = _what_is_whole(remote, there, manifest, folder)
    if there is not None and there.complete and kept == dict(manifest.files):
        remote.remove(STATE)
        return Pushed(url, 0, 0, len(kept))
    state = There(owner_of(manifest), kept)
    left_over = set() if there is None else {*there.files} - {*manifest.files}
    try:
        _note(remote, state)
        remote.remove(FILENAME)
        for name in left_over:
            remote.remove(name)
        for name, wanted in manifest.files.items():
            if name not in state.files:
                _send(remote, folder, name)
                state = replace(state, files={**state.files, name: wanted})
                _note(remote, state)
        _send(remote, folder, FILENAME)
        remote.remove(STATE)
    except NearerError as error:
        count = f"{len(state.files)} of {len(manifest.files)} files are there, the manifest is not"
        error.add_note(f"pushing {folder}: {count}")
        raise
    sent = [FILENAME, *(name for name in manifest.files if name not in kept)]
    size = sum((folder / name).stat().st_size for name in sent)
    return Pushed(url, len(sent), size, len(kept))


def check_destination(url: str, owner: str | None) -> None:
    """Find out whether a push could go there; writes nothing.

    Args:
        url: Where to.
        owner: The run that will push (`Manifest.run`); None: a new one.

    Raises:
        UsageError: It holds something else, or is no place to push to.
        NearerError: It cannot be reached, or not with these credentials.
    """
    if check_url(url, to_push=True) == "hf":
        from nearer.artifact.hub import look_at_hub

        there = look_at_hub(url)
    else:
        remote = open_remote(url, to_push=True)
        there = look(remote)
        if there is None:
            remote.check_bucket()
    refuse_others(url, there, owner)


def owner_of(manifest: Manifest) -> str:
    """Whose an artifact is: its run; its content where no run made it."""
    return manifest.run or hashlib.sha256(json.dumps(dict(manifest.files)).encode()).hexdigest()


def refuse_others(url: str, there: There | None, owner: str | None) -> None:
    """Refuse a destination that holds something else.

    Raises:
        UsageError: It does; says what.
    """
    if there is None or there.owner == owner:
        return
    if not there.owner:
        what = "files that are no artifact of nearer"
    else:
        what = f"{'an' if there.complete else 'a half-pushed'} artifact of another run"
        what += f" ({there.owner})" if " " in there.owner else ""
    raise UsageError(f"{url} holds {what}; choose another place, or replace it: force")


def from_manifest(text: bytes | None, place: str) -> There | None:
    """What a manifest at a destination says of it; None without one."""
    if text is None:
        return None
    try:
        manifest = parse_manifest(text, place)
        check_names(manifest, place)
    except ArtifactError:
        return There("", {})
    return There(owner_of(manifest), manifest.files, complete=True)


def others(names: list[str]) -> There | None:
    """What a destination without a manifest is: nothing, or somebody else's."""
    return There("", {}) if names else None


def look(remote: Remote) -> There | None:
    """What a destination holds; None where it is empty."""
    found = from_manifest(remote.read(FILENAME), remote.at(FILENAME))
    if found is not None:
        return found
    text = remote.read(STATE)
    return others(remote.names()) if text is None else _from_state(text)


def _from_state(text: bytes) -> There:
    try:
        values: Any = json.loads(text.decode("utf-8"))
        owner, files = str(values["owner"]), values["files"]
        named = Manifest("module", "", "", 0, files={str(k): str(v) for k, v in files.items()})
        check_names(named, STATE)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ArtifactError):
        return There("", {})
    return There(owner, named.files)


def _what_is_whole(
    remote: Remote, there: There | None, manifest: Manifest, folder: Path
) -> dict[str, str]:
    """Files of the artifact that are at the destination already, in the same size, by hash."""
    if there is None:
        return {}
    return {
        name: wanted
        for name, wanted in manifest.files.items()
        if there.files.get(name) == wanted
        if remote.size(name) == (folder / name).stat().st_size
    }


def _note(remote: Remote, state: There) -> None:
    text = json.dumps({"owner": state.owner, "files": dict(state.files)}, ensure_ascii=False)
    remote.write(STATE, text.encode("utf-8"))


def _send(remote: Remote, folder: Path, name: str) -> None:
    """Send a file and see whether it arrived in its size."""
    remote.send(folder / name, name)
    size = (folder / name).stat().st_size
    if (found := remote.size(name)) != size:
        raise NearerError(
            f"{remote.at(name)} has {found} bytes there and {size} here; run the same command again"
        )
