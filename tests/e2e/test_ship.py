"""A run that ends at a remote place, and a model that comes from one."""

import json

import numpy as np
import pytest
from support.cli import Bench, flags

import nearer
from nearer.artifact.manifest import read_manifest


@pytest.fixture
def bench(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("NEARER_CACHE", str(bench.folder / "cache"))
    bench.defaults = {"epochs": 1, "name": "first"}
    return bench


def test_a_run_is_pushed_at_its_end_and_used_by_its_url(bench: Bench) -> None:
    place = bench.folder / "remote" / "first"
    ran = bench.fit(push=place.as_uri())
    assert ran.code == 0, ran.err
    run = nearer.get_run("first", runs_dir=bench.runs)
    log = run.logs()
    assert "Building the artifact ..." in log.partition(f"Pushing artifact to {place.as_uri()}")[0]
    assert run.record["pushed"] == place.as_uri()
    assert read_manifest(place).run == f"default/first {run.record['created']}"
    after = run.metrics()["after"]
    assert bench.evaluate_json(place.as_uri())["metrics"].items() <= after.items()
    arrays = []
    for model in (run.artifact, place.as_uri()):
        out = bench.folder / f"{len(arrays)}.npy"
        assert bench.run("encode", model, bench.files["query_data"], "-o", out).code == 0
        arrays.append(np.load(out))
    assert np.array_equal(*arrays)
    assert nearer.load(place.as_uri()).dimension == nearer.load(run.artifact).dimension
    again = bench.json("runs", "push", "first", place.as_uri(), "--runs-dir", bench.runs)
    assert (again["files"], again["kept"]) == (0, len(read_manifest(place).files))
    shown = bench.json("cache", "show")["kept"]
    assert [line["what"] for line in shown if line["kind"] == "artifacts"] == [place.as_uri()]


def test_a_place_that_is_taken_is_refused_before_training(bench: Bench) -> None:
    place = bench.folder / "remote"
    place.mkdir()
    (place / "mine").write_text("mine")
    ran = bench.fit(push=place.as_uri())
    assert ran.code == 2
    assert ran.err.strip() == (
        f"error: push: {place.as_uri()} holds files that are no artifact of nearer; choose "
        "another place, or replace it: force"
    )
    assert not bench.runs.exists()


def test_a_secret_in_a_url_is_refused_and_written_nowhere(bench: Bench) -> None:
    ran = bench.fit(push="s3://AKIAKEY:sw0rdf1sh@bucket/x")
    assert ran.code == 2
    assert "push: s3://***@bucket has a user or password in it" in ran.err
    for url in ("s3://AKIAKEY:sw0rdf1sh@bucket/x", "https://host/x?token=sw0rdf1sh"):
        for words in (
            ["evaluate", url, *flags({k: v for k, v in bench.files.items() if k != "train_data"})],
            ["runs", "push", "first", url],
        ):
            ran = bench.run(*words)
            assert ran.code == 2
            assert "sw0rdf1sh" not in ran.err + ran.out
    found = [p for p in bench.folder.rglob("*") if p.is_file() and b"sw0rdf1sh" in p.read_bytes()]
    assert not found


def test_a_push_that_fails_leaves_the_run_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nearer.artifact.remote as remote

    def cut(*_: object, **__: object) -> None:
        raise ConnectionResetError("cut; Authorization: Bearer sw0rdf1sh-and-more")

    monkeypatch.setattr(remote, "PAUSE", 0.0)
    place = (bench.folder / "remote").as_uri()
    with monkeypatch.context() as patch:
        patch.setattr("fsspec.implementations.local.LocalFileSystem.put_file", cut)
        ran = bench.fit(push=place)
    assert ran.code == 1
    assert "sw0rdf1sh" not in ran.err
    assert f"push it again with: nearer runs push first {place}" in ran.err
    record = json.loads((bench.runs / "default" / "first" / "run.json").read_text())
    assert record["status"] == "finished"
    assert bench.run("runs", "push", "first", place, "--runs-dir", bench.runs).code == 0
    assert nearer.load(place).dimension
