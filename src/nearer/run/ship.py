"""Where artifacts come from and go to, for runs and for models that are named by a URL.

Errors leave here without secrets; how files travel stands in artifact/push.py and pull.py.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nearer.artifact.address import check_url, is_url
from nearer.artifact.pull import pull
from nearer.artifact.push import Pushed, check_destination, push
from nearer.artifact.remote import open_remote
from nearer.encoder.sizes import in_words
from nearer.errors import NearerError, SpecError, UsageError
from nearer.run.record import RunFolder
from nearer.run.secrets import masked

LOGGER = logging.getLogger("nearer")


def run_id(record: dict[str, Any]) -> str:
    """What tells a run from all others, on whatever machine: its name and when it was made."""
    return f"{record.get('experiment')}/{record.get('name')} {record.get('created')}"


def local(model: Any) -> Any:
    """A model that is named by a URL as the folder that it was fetched to; others as they are."""
    if not is_url(model):
        return model
    with masked_errors():
        return pull(model)


def check_form(url: str) -> None:
    """Check what needs no network: the URL, and that the library for it is there.

    Raises:
        SpecError: Something is wrong with it.
    """
    try:
        with masked_errors():
            if check_url(url, to_push=True) != "hf":
                open_remote(url, to_push=True)
    except UsageError as error:
        raise SpecError([f"push: {error}"]) from None


def check_push(url: str | None, earlier: RunFolder | None) -> None:
    """Find out before a run whether it could be pushed to where it is to go.

    Raises:
        SpecError: That place holds something else.
        NearerError: It cannot be reached, or not with these credentials.
    """
    if url is None:
        return
    try:
        with masked_errors():
            check_destination(url, None if earlier is None else run_id(earlier.read()))
    except UsageError as error:
        raise SpecError([f"push: {error}"]) from None


def push_run(folder: RunFolder, artifact: Path, url: str, *, force: bool = False) -> Pushed:
    """Push a run's artifact and note in run.json where it went.

    Raises:
        NearerError: See `nearer.artifact.push.push`.
    """
    with masked_errors():
        check_url(url, to_push=True)
        LOGGER.info("Pushing artifact to %s ...", url)
        pushed = push(artifact, url, force=force)
    sent = f"{pushed.files} files sent ({in_words(pushed.size)})"
    LOGGER.info("Pushed: %s, %s were there already", sent, pushed.kept)
    folder.update(pushed=url)
    return pushed


def push_at_the_end(folder: RunFolder, url: str) -> None:
    """Push the artifact of a run that has just finished.

    Raises:
        NearerError: It could not be pushed; says that the run is whole, and how to push it again.
    """
    try:
        push_run(folder, folder.artifact, url)
    except NearerError as error:
        experiment = folder.path.parent.name
        of = "" if experiment == "default" else f" --experiment {experiment}"
        error.add_note(
            f"the run is finished, and its artifact is {folder.artifact}; push it again with: "
            f"nearer runs push {folder.path.name} {url}{of}"
        )
        raise


@contextmanager
def masked_errors() -> Iterator[None]:
    """Let errors out without the secrets that a library may have put into them."""
    try:
        yield
    except NearerError as error:
        said = masked(str(error))
        if said == str(error):
            raise
        clean = type(error)(said)
        for note in getattr(error, "__notes__", ()):
            clean.add_note(masked(note))
        raise clean from None  # nor may the traceback show them
