"""URLs of remote places: what may be one, before anybody is asked. Imports no file system."""

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from nearer.errors import UsageError, did_you_mean

KNOWN = ("s3", "gs", "az", "hf", "ssh", "sftp", "file", "http", "https")
USER_IN_URL = {"ssh", "sftp", "abfs", "abfss", "az"}
"""Protocols whose URLs have a name before an @ that is no secret: a user, or Azure's container."""


def is_url(text: Any) -> bool:
    """Whether something names a place by a URL rather than by a path.

    Example:
        >>> is_url("s3://bucket/model"), is_url("runs/default/first/artifact")
        (True, False)
    """
    return isinstance(text, str) and "://" in text


def check_url(url: str, *, to_push: bool = False) -> str:
    """Check the form of a URL; asks nobody.

    Returns:
        Its protocol.

    Raises:
        UsageError: It is none, has a password in it, or leads out of its folder.

    Example:
        >>> check_url("s3://bucket/models/first")
        's3'
    """
    from fsspec.registry import known_implementations

    way_out = "give one such as s3://bucket/folder, hf://user/repo or file:///folder"
    if not is_url(url):
        raise UsageError(f'"{url}" is no URL; {way_out}')
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError as error:
        raise UsageError(f"a URL cannot be read ({error}); {way_out}") from None
    if password is not None or (parts.username and parts.scheme not in USER_IN_URL):
        raise UsageError(
            f"{parts.scheme}://***@{parts.hostname} has a user or password in it; leave them out: "
            "they are taken from the environment or the files where the protocol's own tools look"
        )
    if parts.query or parts.fragment:
        shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
        raise UsageError(f"{shown} has something behind ? or #; leave that out")
    if parts.scheme not in known_implementations or "::" in url:
        meant = did_you_mean(parts.scheme, KNOWN)
        raise UsageError(f'"{url}" has no protocol that is known; {way_out}.{meant}')
    if ".." in PurePosixPath(parts.path).parts or not url.isprintable():
        raise UsageError(f"{url!r} leads out of its folder, or holds what no URL may; {way_out}")
    if not (parts.netloc + parts.path).strip("/"):
        raise UsageError(f'"{url}" names no place; {way_out}')
    if parts.scheme == "hf" and len([*filter(None, url[5:].split("/"))]) != 2:
        raise UsageError(f'"{url}" is no place on the hub; it has the form hf://user/repo')
    if to_push and parts.scheme in ("http", "https"):
        raise UsageError(f'"{url}" can only be read; {way_out}')
    return parts.scheme
