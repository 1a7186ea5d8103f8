"""Push and pull between folders, by file:// URLs, with a file system that fails when told to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

import nearer.artifact.remote as remote
from nearer.artifact.manifest import FILENAME, hash_files, read_manifest
from nearer.artifact.pull import KIND, pull
from nearer.artifact.push import STATE, check_destination, push
from nearer.errors import ArtifactError, NearerError, UsageError

from .conftest import make_artifact

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "remote" / "models" / "first"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSE", 0.0)


class Faults:
    """Lets calls of one method of the local file system through, and fails the others."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        self.good, self.fails, self.calls = 10**9, 0, list[str]()
        original = getattr(LocalFileSystem, method)

        def faulty(fs: Any, path: str, *args: Any, **options: Any) -> Any:
            self.calls.append(path)
            self.good -= 1
            if self.good < 0 and self.fails > 0:
                self.fails -= 1
                raise ConnectionResetError("cut")
            return original(fs, path, *args, **options)

        monkeypatch.setattr(LocalFileSystem, method, faulty)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_what_is_pulled_is_what_was_pushed(artifact: Path, place: Path) -> None:
    url = place.as_uri()
    pushed = push(artifact, url)
    assert (pushed.files, pushed.kept) == (4, 0)
    assert pushed.size == sum(len(data) for data in contents(artifact).values())
    assert contents(place) == contents(artifact)
    assert contents(pull(url)) == contents(artifact)
    again = push(artifact, url)
    assert (again.files, again.size, again.kept) == (0, 0, 3)


def test_a_fault_that_passes_is_not_noticed(
    artifact: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(monkeypatch, "put_file")
    faults.good, faults.fails = 1, remote.TRIES - 1
    push(artifact, place.as_uri())
    assert contents(place) == contents(artifact)


@pytest.mark.parametrize("arrived", range(4))
def test_a_push_that_was_cut_off_is_no_artifact_and_goes_on(
    artifact: Path, place: Path, monkeypatch: pytest.MonkeyPatch, arrived: int
) -> None:
    faults = Faults(monkeypatch, "put_file")
    faults.good, faults.fails = arrived, remote.TRIES
    with pytest.raises(NearerError, match="cannot be reached, or breaks off") as caught:
        push(artifact, place.as_uri())
    assert caught.value.__notes__ == [
        f"pushing {artifact}: {arrived} of 3 files are there, the manifest is not"
    ]
    with pytest.raises(ArtifactError, match=r"not a whole one: it has no nearer\.json"):
        pull(place.as_uri())
    faults.calls.clear()
    pushed = push(artifact, place.as_uri())
    assert (pushed.files, pushed.kept) == (4 - arrived, arrived)
    assert len(faults.calls) == 4 - arrived
    assert contents(place) == contents(artifact)


def test_a_half_pushed_artifact_of_another_run_is_refused(
    artifact: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        faults = Faults(patch, "put_file")
        faults.good, faults.fails = 1, remote.TRIES
        with pytest.raises(NearerError):
            push(artifact, place.as_uri())
    other = make_artifact(tmp_path / "other", run="default/second 2026", seed="b")
    for refused in (
        lambda: push(other, place.as_uri()),
        lambda: check_destination(place.as_uri(), None),
    ):
        with pytest.raises(UsageError, match="a half-pushed artifact of another run"):
            refused()
    check_destination(place.as_uri(), "default/first 2026")
    push(other, place.as_uri(), force=True)
    assert contents(place) == contents(other)


def test_another_run_is_refused_and_the_same_is_replaced(
    artifact: Path, place: Path, tmp_path: Path
) -> None:
    push(artifact, place.as_uri())
    other = make_artifact(tmp_path / "other", run="default/second 2026", seed="b")
    with pytest.raises(UsageError, match=r"an artifact of another run \(default/first 2026\)"):
        push(other, place.as_uri())
    assert contents(place) == contents(artifact)
    longer = make_artifact(tmp_path / "longer", seed="c")
    (longer / "README.md").rename(longer / "CARD.md")
    manifest = json.loads((longer / FILENAME).read_text())
    (longer / FILENAME).write_text(json.dumps({**manifest, "files": hash_files(longer)}))
    assert push(longer, place.as_uri()).kept == 1  # config.json is the same
    assert contents(place) == contents(longer)
    push(other, place.as_uri(), force=True)
    assert contents(place) == contents(other)


def test_a_replacement_that_was_cut_off_never_passes_for_either(
    artifact: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(artifact, place.as_uri())
    longer = make_artifact(tmp_path / "longer", seed="c")
    faults = Faults(monkeypatch, "put_file")
    faults.good, faults.fails = 1, remote.TRIES
    with pytest.raises(NearerError):
        push(longer, place.as_uri())
    with pytest.raises(ArtifactError, match="not a whole one"):
        pull(place.as_uri())
    push(longer, place.as_uri())
    assert contents(pull(place.as_uri())) == contents(longer)


def test_a_folder_of_somebody_else_is_refused(artifact: Path, place: Path) -> None:
    place.mkdir(parents=True)
    (place / "README.md").write_text("mine")
    with pytest.raises(UsageError, match=r"files that are no artifact of nearer"):
        push(artifact, place.as_uri())
    assert contents(place) == {"README.md": b"mine"}


def test_a_damaged_artifact_is_not_pushed(artifact: Path, place: Path) -> None:
    (artifact / "config.json").write_text("{ }")
    with pytest.raises(ArtifactError, match=r"config\.json is damaged"):
        push(artifact, place.as_uri())
    assert not place.exists()


def test_a_pull_goes_on_in_the_middle_of_a_file(
    artifact: Path, place: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(artifact, place.as_uri())
    monkeypatch.setattr("nearer.artifact.pull.PIECE", 1 << 20)
    faults = Faults(monkeypatch, "cat_file")
    faults.good, faults.fails = 4, remote.TRIES  # manifest, two small files, half of the large one
    with pytest.raises(NearerError, match="breaks off"):
        pull(place.as_uri())
    assert not [p for p in (own_cache / KIND).glob("*") if not p.name.startswith(".")]
    faults.calls.clear()
    assert contents(pull(place.as_uri())) == contents(artifact)
    assert len(faults.calls) == 2  # the manifest, and the other half
    faults.calls.clear()
    assert contents(pull(place.as_uri())) == contents(artifact)
    assert len(faults.calls) == 1  # the manifest
    assert not list((own_cache / KIND).glob(".*.tmp"))


def test_a_part_of_another_time_is_fetched_anew(
    artifact: Path, place: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(artifact, place.as_uri())
    monkeypatch.setattr("nearer.artifact.pull.PIECE", 1 << 20)
    with monkeypatch.context() as patch:
        faults = Faults(patch, "cat_file")
        faults.good, faults.fails = 4, remote.TRIES
        with pytest.raises(NearerError):
            pull(place.as_uri())
    (part,) = own_cache.rglob(".model.bin.part")
    part.write_bytes(b"?" * part.stat().st_size)
    assert contents(pull(place.as_uri())) == contents(artifact)


def test_a_file_that_is_not_what_the_manifest_says_is_refused(
    artifact: Path, place: Path, own_cache: Path
) -> None:
    push(artifact, place.as_uri())
    (place / "config.json").write_text("[]")
    with pytest.raises(ArtifactError, match=r"config\.json is damaged: its hash is not the one"):
        pull(place.as_uri())
    (place / "config.json").unlink()
    with pytest.raises(ArtifactError, match=r"config\.json is missing"):
        pull(place.as_uri())
    (place / "config.json").write_text("{}")
    folder = pull(place.as_uri())
    (folder / "config.json").write_text("damaged in the cache")
    assert contents(pull(place.as_uri())) == contents(artifact)


@pytest.mark.parametrize(
    "name",
    ["../x", "/tmp/x", "a/../../x", "..\\x", "C:x", "a//x", "./x", "", "x\n", FILENAME, "a\0"],
)
def test_a_name_that_leads_out_of_the_folder_writes_nothing(
    artifact: Path, place: Path, own_cache: Path, name: str
) -> None:
    push(artifact, place.as_uri())
    values = json.loads((place / FILENAME).read_text())
    values["files"][name] = values["files"]["config.json"]
    (place / FILENAME).write_text(json.dumps(values))
    with pytest.raises(ArtifactError, match=r"outside of the artifact|can be no file of it"):
        pull(place.as_uri())
    assert not (own_cache / KIND).exists()
    assert not read_manifest(artifact).files.get(name)


def test_a_state_that_names_files_outside_is_somebody_elses(artifact: Path, place: Path) -> None:
    outside = place.parent / "x"
    place.mkdir(parents=True)
    outside.write_text("mine")
    state = {"owner": "default/first 2026", "files": {"../x": "0" * 64}}
    (place / STATE).write_text(json.dumps(state))
    with pytest.raises(UsageError, match="no artifact of nearer"):
        push(artifact, place.as_uri())
    push(artifact, place.as_uri(), force=True)
    assert outside.read_text() == "mine"


def test_without_a_cache_it_is_kept_for_the_process(
    artifact: Path, place: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARER_CACHE_SIZE", "0")
    push(artifact, place.as_uri())
    assert contents(pull(place.as_uri())) == contents(artifact)
    assert not own_cache.exists()


def urls() -> Iterator[tuple[str, str]]:
    yield "model", "is no URL; give one such as s3://bucket/folder"
    yield "s3s://bucket/x", 'no protocol that is known.*Did you mean "s3"'
    yield "s3://", "names no place"
    yield "s3://bucket/../x", "leads out of its folder"
    yield "hf://user", "no place on the hub; it has the form hf://user/repo"
    yield "hf://user/repo/x", "no place on the hub"
    yield "https://host/x", "can only be read"
    yield "zip://x::s3://bucket/x", "no protocol that is known"
    yield "s3://bucket/x?versionId=3", r"s3://bucket/x has something behind \? or #"
    yield "s3://key:word@bucket/x", r"s3://\*\*\*@bucket has a user or password in it"
    yield "ssh://me:word@host/x", r"ssh://\*\*\*@host has a user or password in it"


@pytest.mark.parametrize(("url", "says"), [*urls()])
def test_a_url_that_cannot_be_pushed_to_says_why(artifact: Path, url: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        push(artifact, url)
    assert "word" not in str(caught.value).replace("password", "")


def test_a_missing_library_is_named_with_what_installs_it(
    artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)
    with pytest.raises(UsageError, match=r'pip install "nearer\[gs\]"'):
        push(artifact, "gs://bucket/x")
