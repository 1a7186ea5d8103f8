"""A remote place for artifacts: its files, and its errors in our words.

fsspec does the talking. What is copied there, and in which order, is the affair of push and pull.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from nearer.artifact.address import check_url
from nearer.errors import NearerError, UsageError

T = TypeVar("T")

TRIES = 4
"""How often one file, or one piece of one, is tried; the libraries below try on their own, too."""
PAUSE = 0.5
"""Seconds before the second try; each further one waits twice as long."""
PIECE = 8 << 20
"""Bytes that are fetched, or sent as one part, at a time."""

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az",
          "ssh": "ssh", "sftp": "ssh", "http": "http", "https": "http"}  # fmt: skip
"""What of `nearer[…]` brings the library for a protocol."""
OBJECTS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "hf"}
"""Stores without folders, in which a file appears whole or not at all."""
NETWORK = {"aiohttp", "aiobotocore", "botocore", "urllib3", "requests", "httpcore", "httpx",
           "httpx2", "gcsfs", "google", "azure", "paramiko", "huggingface_hub",
           "fsspec"}  # fmt: skip
"""Libraries whose own errors are those of a network or of a store."""


@dataclass(frozen=True)
class Remote:
    """A folder on a file system of fsspec; its methods try again and tell errors in our words.

    Attributes:
        url: As it was given.
        fs: The file system.
        root: The folder's path in it.
        appears_whole: Whether a file that is being written is not there until it is complete.
    """

    url: str
    fs: Any
    root: str
    appears_whole: bool

    def at(self, name: str) -> str:
        """The path of a file."""
        return f"{self.root.rstrip('/')}/{name}"

    def read(self, name: str, start: int | None = None, end: int | None = None) -> bytes | None:
        """The bytes of a file, or some of them; None where there is no such file."""
        try:
            found: bytes = self.call(lambda: self.fs.cat_file(self.at(name), start=start, end=end))
        except FileNotFoundError:
            return None
        return found

    def size(self, name: str) -> int | None:
        """How large a file is; None where there is none, or where the server does not say."""
        try:
            size: int | None = self.call(lambda: self.fs.info(self.at(name))).get("size")
        except FileNotFoundError:
            return None
        return size

    def names(self) -> list[str]:
        """What lies directly in the folder."""
        try:
            found = self.call(lambda: self.fs.ls(self.root, detail=False))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [name for path in found if (name := PurePosixPath(path).name)]

    def check_bucket(self) -> None:
        """Check that the bucket is there; a folder is made when it is needed.

        Raises:
            NearerError: It is not.
        """
        if self.appears_whole:
            try:
                self.call(lambda: self.fs.info(self.root.split("/")[0]))
            except FileNotFoundError as error:
                raise self._no_bucket(error) from None

    def _no_bucket(self, error: Exception) -> NearerError:
        return NearerError(f"{self.url} is not there ({error}); make the bucket first")

    def send(self, file: Path, name: str) -> None:
        """Copy a file there; under its name it is whole or not there."""
        self._put(name, lambda place, **how: self.fs.put_file(str(file), place, **how))

    def write(self, name: str, content: bytes) -> None:
        """Write a small file there, in the same way."""
        self._put(name, lambda place, **_: self.fs.pipe_file(place, content))

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        try:
            self.call(lambda: self.fs.rm_file(self.at(name)))
        except FileNotFoundError:
            return

    def _put(self, name: str, put: Callable[..., Any]) -> None:
        place = self.at(name)
        how = {"chunksize": PIECE} if self.url.startswith(("s3://", "s3a://")) else {}

        def whole() -> None:
            if self.appears_whole:
                put(place, **how)
                return
            folder, _, last = place.rpartition("/")
            self.fs.makedirs(folder, exist_ok=True)
            put(f"{folder}/.{last}.part")
            self.fs.mv(f"{folder}/.{last}.part", place)

        try:
            self.call(whole)
        except FileNotFoundError as error:
            raise self._no_bucket(error) from None

    def call(self, action: Callable[[], T]) -> T:
        """Do something there, again where the network fails.

        Raises:
            FileNotFoundError: What is asked for is not there.
            NearerError: It may not be done, or not even the last try came through.
        """
        for tries_left in reversed(range(TRIES)):
            try:
                return action()
            except (FileNotFoundError, NotADirectoryError):
                raise
            except Exception as error:
                if not _of_network(error):
                    raise
                if tries_left and not _for_good(error):
                    time.sleep(PAUSE * 2 ** (TRIES - 1 - tries_left))
                    continue
                raise told(error, self.url) from error
        raise AssertionError("the last try returns or raises")


def open_remote(url: str, *, to_push: bool = False) -> Remote:
    """Find the file system of a URL; credentials come from where its own tools look for them.

    Raises:
        UsageError: It is no URL that can be used, or its library is not installed.
    """
    import fsspec

    protocol = check_url(url, to_push=to_push)
    try:
        fs, root = fsspec.url_to_fs(url)
        fs.invalidate_cache()  # else what was listed once is believed for as long as the process
    except ImportError as error:
        extra = EXTRAS.get(protocol)
        way_out = f'install it: pip install "nearer[{extra}]"' if extra else str(error)
        raise UsageError(f"{url}: the library for {protocol}:// is missing; {way_out}") from None
    except Exception as error:
        if not _of_network(error):
            raise
        raise told(error, url) from error
    return Remote(url, fs, root, protocol in OBJECTS)


def told(error: Exception, url: str) -> NearerError:
    """What a library says of a network or a store, in our words."""
    said = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    if type(error).__name__ == "OfflineModeIsEnabled":
        return NearerError(f"{url}: no look at the network, as HF_HUB_OFFLINE is set; unset it")
    if _for_good(error):
        return NearerError(
            f"{url} may not be used as it was tried ({said}); check the credentials in the "
            "environment, or in the files where the protocol's own tools look, and their rights"
        )
    return NearerError(
        f"{url} cannot be reached, or breaks off ({said}); check the network and the address, and "
        "run the same command again: it goes on where it was"
    )


def _of_network(error: Exception) -> bool:
    library = type(error).__module__.split(".")[0]
    return isinstance(error, OSError | EOFError) or library in NETWORK


def _for_good(error: Exception) -> bool:
    """Whether another try would fail as well: no rights, no credentials."""
    status = getattr(getattr(error, "response", None), "status_code", getattr(error, "status", 0))
    names = {kind.__name__ for kind in type(error).__mro__}
    refused = {"NoCredentialsError", "PartialCredentialsError", "LocalTokenNotFoundError",
               "OfflineModeIsEnabled", "AuthenticationException"}  # fmt: skip
    return isinstance(error, PermissionError) or status in (401, 403) or bool(names & refused)
