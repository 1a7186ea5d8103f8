"""Disks that fail and artifacts that are not whole: the old stays, the damaged is refused."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.tiny import Letters

import nearer
from nearer.artifact import atomic
from nearer.artifact.manifest import FILENAME, WAY_OUT, Manifest, read_manifest
from nearer.artifact.store import load_artifact, save_artifact
from nearer.encoder.module import ModuleEncoder
from nearer.errors import ArtifactError


class DiskError(OSError):
    """The fault that is injected."""


def failing(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int = 1) -> None:
    """Let the n-th call of a function fail, and those after it."""
    real: Callable[..., Any] = getattr(owner, name)
    calls = iter(range(1, 1_000_000))

    def maybe(*args: Any, **kwargs: Any) -> Any:
        if next(calls) >= call:
            raise DiskError(28, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, maybe)


def fill(path: Path, text: str, *names: str) -> None:
    with atomic.new_folder(path) as folder:
        for name in names:
            (folder / name).write_text(text)


TEXT_FAULTS = [(Path, "open", 1), (os, "fsync", 1), (Path, "replace", 1)]
FOLDER_FAULTS = [
    (Path, "mkdir", 1),
    (os, "fsync", 1),
    (os, "fsync", 2),
    (os, "fsync", 3),
    (Path, "rename", 1),
    (Path, "rename", 2),
]


@pytest.mark.parametrize(("owner", "name", "call"), TEXT_FAULTS)
def test_write_text_leaves_the_old_text_whole(
    owner: Any, name: str, call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    atomic.write_text(path, "old\n")
    with monkeypatch.context() as patch:
        failing(patch, owner, name, call)
        with pytest.raises(DiskError):
            atomic.write_text(path, "new\n")
    assert path.read_text() == "old\n"
    assert os.listdir(tmp_path) == ["run.json"]
    atomic.write_text(path, "new\n")
    assert path.read_text() == "new\n"


def test_write_text_that_fails_while_writing(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    atomic.write_text(path, "old\n")
    with pytest.raises(UnicodeEncodeError):
        atomic.write_text(path, "a lone surrogate: \ud800")
    assert path.read_text() == "old\n"
    assert os.listdir(tmp_path) == ["run.json"]


@pytest.mark.parametrize(("owner", "name", "call"), FOLDER_FAULTS)
def test_new_folder_leaves_the_old_folder_whole(
    owner: Any, name: str, call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "artifact"
    fill(path, "old", "a")
    with monkeypatch.context() as patch:
        failing(patch, owner, name, call)
        with pytest.raises(DiskError):
            fill(path, "new", "a", "b")
    rest = os.listdir(tmp_path)
    # Where even the way back fails, the old folder is still there, whole, beside its place.
    both_ways = (owner, name, call) == (Path, "rename", 2)
    (old,) = [tmp_path / n for n in rest]
    assert (old == path) or both_ways
    assert {p.name: p.read_text() for p in old.iterdir()} == {"a": "old"}


def test_new_folder_puts_the_old_one_back_if_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "artifact"
    fill(path, "old", "a")
    real = Path.rename

    def only_the_second(self: Path, target: Path) -> Any:
        if Path(target) == path and (self / "b").exists():
            raise DiskError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", only_the_second)
    with pytest.raises(DiskError):
        fill(path, "new", "b")
    assert os.listdir(tmp_path) == ["artifact"]
    assert (path / "a").read_text() == "old"


def test_new_folder_that_cannot_be_sure_that_it_took_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has taken it, whole; that a power cut may undo the rename is no error."""
    path = tmp_path / "artifact"
    fill(path, "old", "a")
    with monkeypatch.context() as patch:
        failing(patch, os, "fsync", 3)  # of the file, of the folder, of the folder around it
        fill(path, "new", "a")
    assert os.listdir(tmp_path) == ["artifact"]
    assert (path / "a").read_text() == "new"


def test_new_folder_leaves_nothing_of_a_block_that_fails(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fill(tmp_path / "artifact", "new", "a", "no/b")
    assert os.listdir(tmp_path) == []


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    encoder = ModuleEncoder(Letters(), dimension=8)
    folder = tmp_path / "artifact"
    save_artifact(encoder, folder, Manifest("module", "letters", "letters", 8))
    return folder


def load(folder: Path) -> None:
    load_artifact(folder, Letters())


def test_a_whole_artifact_loads(artifact: Path) -> None:
    load(artifact)
    assert sorted(read_manifest(artifact).files) == ["README.md", "model.safetensors"]


@pytest.mark.parametrize("name", ["README.md", "model.safetensors"])
def test_a_flipped_byte_is_found_and_the_file_is_named(name: str, artifact: Path) -> None:
    path = artifact / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError) as caught:
        load(artifact)
    assert (
        str(caught.value) == f"{path} is damaged: its hash is not the one in {FILENAME}; {WAY_OUT}"
    )


def test_a_missing_file_is_named(artifact: Path) -> None:
    (artifact / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"model\.safetensors is missing from the artifact"):
        load(artifact)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret"])
def test_a_manifest_that_names_files_outside_is_refused(name: str, artifact: Path) -> None:
    change(artifact, files={name: "0" * 64})
    with pytest.raises(ArtifactError) as caught:
        load(artifact)
    says = f'{artifact / FILENAME} names "{name}", outside of the artifact; {WAY_OUT}'
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2}, "has format 2; this nearer reads up to 1: upgrade it"),
        ({"format": "1"}, "is not a manifest"),
        ({"format": None}, "is not a manifest"),
        ({"kind": "pickle"}, 'has the kind "pickle"'),
        ({"files": ["README.md"]}, "is not complete"),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused(
    changes: dict[str, Any], says: str, artifact: Path
) -> None:
    change(artifact, **changes)
    with pytest.raises(ArtifactError) as caught:
        load(artifact)
    assert str(caught.value).startswith(str(artifact / FILENAME))
    assert says in str(caught.value)


def test_what_a_later_version_adds_within_the_format_is_passed_over(artifact: Path) -> None:
    change(artifact, mood="good")
    load(artifact)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"format": 1}', "\x00"])
def test_a_manifest_that_is_no_manifest(text: str, artifact: Path) -> None:
    (artifact / FILENAME).write_text(text)
    with pytest.raises(ArtifactError, match=r"nearer\.json"):
        load(artifact)


def test_a_folder_that_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        nearer.load(tmp_path)
    says = (
        f"{tmp_path} is not an artifact: it has no nearer.json; give the folder artifact/ of a run"
    )
    assert str(caught.value) == says


def test_a_module_that_does_not_fit(artifact: Path) -> None:
    with pytest.raises(ArtifactError, match="does not fit the module Letters"):
        load_artifact(artifact, Letters(dimension=4))


def test_an_artifact_stays_until_its_successor_is_whole(
    artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p.name: p.read_bytes() for p in artifact.iterdir()}
    encoder = ModuleEncoder(Letters(), dimension=8)
    monkeypatch.setattr(encoder, "save", lambda folder: (folder / "half").write_text("h") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_artifact(encoder, artifact, Manifest("module", "letters", "letters", 8))
    assert {p.name: p.read_bytes() for p in artifact.iterdir()} == before
    assert os.listdir(artifact.parent) == ["artifact"]


def change(artifact: Path, **changes: Any) -> None:
    path = artifact / FILENAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
