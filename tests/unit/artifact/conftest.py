"""A small artifact, and a server that speaks S3's protocol."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearer.artifact.manifest import FILENAME, Manifest, hash_files


def make_artifact(folder: Path, run: str = "default/first 2026", seed: str = "a") -> Path:
    """An artifact of three files, one of them of 2 MB and in a folder; nothing that loads."""
    (folder / "query").mkdir(parents=True)
    (folder / "README.md").write_text(f"card {seed}")
    (folder / "config.json").write_text("{}")
    (folder / "query" / "model.bin").write_bytes(hashlib.shake_128(seed.encode()).digest(2 << 20))
    manifest = Manifest("module", "letters", "letters", 8, run=run, files=hash_files(folder))
    (folder / FILENAME).write_text(manifest.to_json())
    return folder


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return make_artifact(tmp_path / "artifact")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEARER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[tuple[str, int]]:
    """Host and port of moto's server."""
    from moto import server as server_of

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()
