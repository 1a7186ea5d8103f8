"""Pushing to the hub, with a stand-in for its client: there is no hub to try it on."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from nearer.artifact.push import check_destination, push
from nearer.errors import NearerError, UsageError

from .conftest import make_artifact
from .test_push_and_pull import contents

URL = "hf://user/repo"


class Hub:
    """Repositories in memory, with the methods of `HfApi` that are called."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.repos = folder, dict[str, dict[str, bytes]]()
        self.private: bool | None = None
        self.sent: list[list[str]] = []
        self.fault: Exception | None = None

    def whoami(self) -> dict[str, str]:
        if self.fault is not None:
            raise self.fault
        return {"name": "user"}

    def model_info(self, repo: str) -> Any:
        if repo not in self.repos:
            raise RepositoryNotFoundError("404", response=answer(404))
        names = [SimpleNamespace(rfilename=name) for name in self.repos[repo]]
        return SimpleNamespace(siblings=names, sha=self.head(repo))

    def head(self, repo: str) -> str:
        return hashlib.sha1(repr(sorted(self.repos[repo].items())).encode()).hexdigest()

    def hf_hub_download(self, repo: str, name: str, revision: str) -> str:
        assert revision == self.head(repo)
        path = self.folder / hashlib.sha1(self.repos[repo][name]).hexdigest()
        path.write_bytes(self.repos[repo][name])
        return str(path)

    def create_repo(self, repo: str, private: bool, exist_ok: bool) -> None:
        self.private, self.repos[repo] = private, {}

    def create_commit(
        self, repo: str, operations: list[Any], commit_message: str, parent_commit: str | None
    ) -> None:
        assert parent_commit in (None, self.head(repo))
        added = [o for o in operations if isinstance(o, CommitOperationAdd)]
        self.sent.append([o.path_in_repo for o in added])
        for one in operations:
            if isinstance(one, CommitOperationAdd):
                self.repos[repo][one.path_in_repo] = Path(str(one.path_or_fileobj)).read_bytes()
            else:
                del self.repos[repo][one.path_in_repo]


def answer(status: int) -> httpx2.Response:
    return httpx2.Response(status, request=httpx2.Request("GET", "https://hub.invalid"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    (tmp_path / "hub").mkdir()
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub)
    return hub


def test_all_files_are_one_commit_to_a_private_repository(hub: Hub, artifact: Path) -> None:
    check_destination(URL, None)
    assert not hub.repos
    pushed = push(artifact, URL)
    assert (pushed.files, pushed.kept, hub.private) == (4, 0, True)
    assert hub.repos["user/repo"] == contents(artifact)
    assert len(hub.sent) == 1
    assert push(artifact, URL).files == 0
    assert len(hub.sent) == 1


def test_the_same_run_sends_what_changed_and_removes_what_is_gone(
    hub: Hub, artifact: Path, tmp_path: Path
) -> None:
    push(artifact, URL)
    hub.repos["user/repo"][".gitattributes"] = b"of the hub"
    longer = make_artifact(tmp_path / "longer", seed="c")
    assert push(longer, URL).kept == 1
    assert "config.json" not in hub.sent[-1]
    kept = {".gitattributes": b"of the hub"}
    assert hub.repos["user/repo"] == contents(longer) | kept


def test_a_repository_of_something_else_is_refused(
    hub: Hub, artifact: Path, tmp_path: Path
) -> None:
    hub.repos["user/repo"] = {".gitattributes": b"", "README.md": b"# mine"}
    check_destination(URL, None)  # as the hub makes one
    hub.repos["user/repo"]["model.safetensors"] = b"mine"
    with pytest.raises(UsageError, match="no artifact of nearer"):
        push(artifact, URL)
    push(artifact, URL, force=True)
    other = make_artifact(tmp_path / "other", run="default/second 2026", seed="b")
    with pytest.raises(UsageError, match="an artifact of another run"):
        push(other, URL)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (OfflineModeIsEnabled("offline"), "HF_HUB_OFFLINE is set"),
        (LocalTokenNotFoundError("no token"), "check the credentials"),
        (HfHubHTTPError("401", response=answer(401)), "check the credentials"),
        (HfHubHTTPError("503", response=answer(503)), "cannot be reached, or breaks off"),
        (httpx2.ConnectError("no route"), "cannot be reached, or breaks off"),
    ],
    ids=["offline", "no token", "401", "503", "no route"],
)
def test_what_the_hub_says_is_told_in_our_words(
    hub: Hub, artifact: Path, fault: Exception, says: str
) -> None:
    hub.fault = fault
    with pytest.raises(NearerError, match=says):
        push(artifact, URL)
