"""One flipped byte in any file of an artifact: nothing loads it, and the file is named."""

from pathlib import Path

import pytest
from support.cli import Bench, flags

import nearer
from nearer.artifact.manifest import FILENAME, Manifest, read_manifest
from nearer.artifact.store import save_artifact
from nearer.encoder.loading import load_sentence_transformer
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.errors import ArtifactError


def flip(path: Path, at: int) -> bytes:
    """Flip a bit of a byte; returns what was there."""
    before = path.read_bytes()
    data = bytearray(before)
    data[at] ^= 1
    path.write_bytes(data)
    return before


def test_a_flipped_byte_in_each_file_is_refused_and_the_file_is_named(bench: Bench) -> None:
    encoder = SentenceTransformerEncoder(
        load_sentence_transformer(str(bench.model)), "tiny-bert", "fp32"
    )
    artifact = bench.folder / "artifact"
    save_artifact(encoder, artifact, Manifest("sentence-transformers", "tiny-bert", "t", 32))
    names = list(read_manifest(artifact).files)
    there = {p.relative_to(artifact).as_posix() for p in artifact.rglob("*") if p.is_file()}
    assert {*names, FILENAME} == there
    for name in names:
        path = artifact / name
        size = path.stat().st_size
        for at in sorted({0, size // 2, size - 1}) if size else ():
            before = flip(path, at)
            with pytest.raises(ArtifactError) as caught:
                nearer.load(artifact)
            assert str(caught.value).startswith(f"{path} is damaged")
            path.write_bytes(before)
        if size:
            before = flip(path, size // 2)
            data = {k: v for k, v in bench.files.items() if k != "train_data"}
            ran = bench.run("evaluate", artifact, *flags(data))
            assert ran.code == 1
            said = f"error: {path} is damaged: its hash is not the one in {FILENAME}"
            assert ran.err.startswith(said)
            path.write_bytes(before)
    nearer.load(artifact)
    print(f"{len(names)} files")
