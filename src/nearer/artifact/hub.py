"""Pushing to the Hugging Face hub: all files in one commit, so that it is there whole or not.

Reading from there goes through fsspec like everything else (pull.py).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from nearer.artifact.manifest import FILENAME, Manifest
from nearer.artifact.push import Pushed, There, from_manifest, others, owner_of, refuse_others
from nearer.artifact.remote import told
from nearer.errors import UsageError

T = TypeVar("T")

OF_THE_HUB = {".gitattributes", "README.md"}
"""What a repository has that was made a moment ago, in the browser or by `hf repo create`."""


def look_at_hub(url: str) -> There | None:
    """What a repository holds; None where it is empty, or not there yet.

    Raises:
        NearerError: The hub cannot be reached, or nobody is logged in.
    """
    return _patiently(url, lambda api, repo: _look(api, repo)[0])


def push_to_hub(folder: Path, manifest: Manifest, url: str, *, force: bool) -> Pushed:
    """Commit an artifact to a repository, which is made, private, where there is none.

    What the hub has of a push that was cut off, it knows by its hash and takes no second time.

    Raises:
        UsageError: The repository holds something else.
        NearerError: The hub cannot be reached, or it is not allowed.
    """
    return _patiently(url, lambda api, repo: _push(api, repo, folder, manifest, url, force))


def _push(api: Any, repo: str, folder: Path, manifest: Manifest, url: str, force: bool) -> Pushed:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    there, head = _look(api, repo)
    if not force:
        refuse_others(url, there, owner_of(manifest))
    before = {} if there is None else there.files
    if there is not None and there.complete and dict(before) == dict(manifest.files):
        return Pushed(url, 0, 0, len(before))
    if head is None:
        api.create_repo(repo, private=True, exist_ok=True)
    changed = [name for name, wanted in manifest.files.items() if before.get(name) != wanted]
    sent = [*changed, FILENAME]
    gone = sorted({*before} - {*manifest.files})
    api.create_commit(
        repo,
        [
            *(CommitOperationAdd(name, str(folder / name)) for name in sent),
            *(CommitOperationDelete(name) for name in gone),
        ],
        commit_message=f"{manifest.name}, fine-tuned with nearer",
        parent_commit=head,  # refused where somebody else has pushed since we looked
    )
    size = sum((folder / name).stat().st_size for name in sent)
    return Pushed(url, len(sent), size, len(manifest.files) - len(changed))


def _look(api: Any, repo: str) -> tuple[There | None, str | None]:
    """What a repository holds, and its last commit; None and None where there is none."""
    from huggingface_hub.errors import RepositoryNotFoundError

    api.whoami()  # who is not logged in is told so, rather than that there is no such repository
    try:
        info = api.model_info(repo)
    except RepositoryNotFoundError:
        return None, None
    names = [file.rfilename for file in info.siblings or ()]
    if FILENAME not in names:
        return others([name for name in names if name not in OF_THE_HUB]), info.sha
    text = api.hf_hub_download(repo, FILENAME, revision=info.sha)
    return from_manifest(Path(text).read_bytes(), f"{repo}/{FILENAME}"), info.sha


def _patiently(url: str, action: Callable[[Any, str], T]) -> T:
    """Do something with the hub's own client, which tries again by itself where that may help.

    Raises:
        NearerError: What the client says, in our words.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return action(HfApi(), url.removeprefix("hf://").strip("/"))
    except HFValidationError as error:
        raise UsageError(f"{url}: {error}; it has the form hf://user/repo") from None
    except (HfHubHTTPError, OSError) as error:
        raise told(error, url) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("httpx", "httpx2", "httpcore"):
            raise
        raise told(error, url) from error
