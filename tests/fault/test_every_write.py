"""Every write of a run fails once, and from then on: nothing is left half-written, ever."""

import csv
import errno
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.feather as feather
import pytest
from support.disk import Disk, failing_disk
from support.tiny import Letters

import nearer
from nearer.artifact.manifest import Manifest
from nearer.artifact.store import load_artifact, save_artifact
from nearer.callbacks import CSVLogger, EvaluationCallback
from nearer.encoder.loading import load_sentence_transformer
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.errors import ArtifactError
from nearer.run import lock
from nearer.run.disk import artifact_is_whole

ROWS = [{"query": f"{a} {b}", "document": f"{b} of {a}"} for a in "abc" for b in "defg"]
DOCUMENTS = [{"id": str(i), "text": f"{row['document']}"} for i, row in enumerate(ROWS)]
QUERIES = [{"id": str(i), "text": f"{row['query']}"} for i, row in enumerate(ROWS)]
QRELS = [{"query-id": str(i), "corpus-id": str(i), "score": 1} for i in range(len(ROWS))]

MODES = [(errno.ENOSPC, False), (errno.ENOSPC, True), (errno.EIO, False), (errno.EROFS, True)]
SPARE = (
    "metrics.jsonl",
    "losses.json",
    "log.txt",
    "ranks",
    "examples.json",
    "report.html",
    "m.csv",
)
"""What a run goes on without, once it trains."""

HARMLESS = (
    ("mkdir", "."),  # of the CSV file's folder, which is there
    ("fsync", "runs/default/mine"),  # after a rename: what was renamed is whole and in its place
)


def is_spare(path: str) -> bool:
    """Whether a path below the root is that of something spare, or of its temporary file."""
    return any(part.lstrip(".").startswith(SPARE) for part in Path(path).parts)


def fit(root: Path, **changed: Any) -> nearer.Run:
    """A complete run of a few milliseconds: an evaluation, ranks, examples, a CSV file."""
    qrels = root.parent / "qrels.tsv"
    if not qrels.exists():
        lines = (f"{q['query-id']}\t{q['corpus-id']}\t1\n" for q in QRELS)
        qrels.write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    options = {
        "model": Letters(),
        "train_data": ROWS,
        "epochs": 1,
        "batch_size": 6,
        "precision": "fp32",
        "name": "mine",
        "runs_dir": root / "runs",
        "callbacks": [
            EvaluationCallback(QUERIES, DOCUMENTS, str(qrels)),
            CSVLogger(root / "m.csv"),
        ],
    }
    return nearer.fit(**{**options, **changed})


def check_whole(root: Path) -> None:
    """Everything that exists under its own name can be read; nothing else is left."""
    for path in root.rglob("*"):
        assert not path.name.endswith(".tmp"), path
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".jsonl":
            text = path.read_text()
            assert text == "" or text.endswith("\n")
            for line in text.splitlines():
                json.loads(line)
        elif path.suffix == ".arrow":
            feather.read_table(path)
        elif path.suffix == ".csv":
            lines = list(csv.reader(path.read_text().splitlines()))
            assert len({len(line) for line in lines}) <= 1
    for artifact in root.rglob("artifact"):
        load_artifact(artifact, Letters())
    assert not list(root.rglob(lock.FILENAME))


@pytest.fixture
def writes(tmp_path: Path) -> Disk:
    """The writes of a run on a disk that has room."""
    root = tmp_path / "counted"
    root.mkdir()
    with failing_disk(Disk(root)) as disk:
        fit(root)
    check_whole(root)
    return disk


@pytest.mark.parametrize(("error", "stays"), MODES, ids=lambda v: str(v))
def test_a_run_survives_every_write_that_fails(
    error: int, stays: bool, writes: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ended = Counter[str]()
    for number in range(1, len(writes.calls) + 1):
        root = tmp_path / f"at{number}"
        root.mkdir()
        caplog.clear()
        disk = Disk(root, number, stays, error)
        told = ""
        with failing_disk(disk):
            try:
                fit(root)
            except nearer.NearerError as failure:
                told = "\n".join([str(failure), *getattr(failure, "__notes__", [])])
        where = disk.failed[0]
        check_whole(root)
        record = root / "runs" / "default" / "mine" / "run.json"
        status = json.loads(record.read_text())["status"] if record.exists() else "none"
        if told:
            assert os.strerror(error) in told, (where, told)
            assert str(root) in told, (where, told)
            assert "make room there" in told or "choose another runs_dir" in told, (where, told)
            # Where run.json could not say that it failed, the lock is gone, and that says it.
            shown = nearer.list_runs(runs_dir=root / "runs")
            assert [run.status for run in shown] in ([], ["failed"], ["dead"]), where
        else:
            assert status == "finished", where
            # The folder is made beside its place, under a name of its own.
            named = (where[0], re.sub(r"\.mine\.[0-9a-f]+\.tmp", "mine", where[1]))
            assert named in HARMLESS or is_spare(where[1]), where
            assert (root / "runs/default/mine/artifact").is_dir()
        ended["goes on" if not told else "refused" if status == "none" else "failed"] += 1
    assert set(ended) == {"goes on", "refused", "failed"}
    print(f"{sum(ended.values())} writes, {os.strerror(error)}, stays={stays}: {dict(ended)}")


def test_the_run_goes_on_without_what_only_describes_it(writes: Disk, tmp_path: Path) -> None:
    """One warning for each thing, and its line comes later."""
    name = "runs/default/mine/metrics.jsonl"
    at = [i for i, call in enumerate(writes.calls, 1) if call == ("write", name)]
    assert len(at) == 2
    (root := tmp_path / "one").mkdir()
    with failing_disk(Disk(root, at[0])):
        run = fit(root)
    assert [point["epoch"] for point in run.history] == [0, 1]
    said = [line for line in run.logs().splitlines() if "metrics.jsonl" in line]
    assert len(said) == 1
    assert "could not be written; the run goes on: [Errno 28] No space left" in said[0]


def test_an_artifact_of_many_files_survives_every_write_that_fails(
    tiny_bert: Path, tmp_path: Path
) -> None:
    """The one before it stays whole, whichever file can't be written."""
    encoder = SentenceTransformerEncoder(load_sentence_transformer(str(tiny_bert)), "t", "fp32")
    artifact = tmp_path / "artifact"
    manifest = Manifest("sentence-transformers", "t", "t", 32)
    save_artifact(encoder, artifact, manifest)
    with failing_disk(Disk(tmp_path)) as counted:
        save_artifact(encoder, artifact, manifest)
    harmless = 0
    for number, call in enumerate(counted.calls, 1):
        disk = Disk(tmp_path, number)
        made = call[0] == "mkdir" and call in counted.calls[: number - 1]
        if made or number == len(counted.calls):  # a folder that is there; a sync after the rename
            with failing_disk(disk):
                save_artifact(encoder, artifact, manifest)
            assert made or disk.failed == [("fsync", ".")]
            harmless += 1
            continue
        with (
            failing_disk(disk),
            pytest.raises(ArtifactError, match="No space left") as caught,
            artifact_is_whole(artifact),
        ):
            save_artifact(encoder, artifact, manifest)
        assert f"{artifact} could not be written" in str(caught.value)
        assert "make room there" in str(caught.value)
        assert os.listdir(tmp_path) == ["artifact"], disk.failed
        load_artifact(artifact)
    assert os.listdir(tmp_path) == ["artifact"]
    load_artifact(artifact)
    print(f"{len(counted.calls)} writes of an artifact, {harmless} of them harmless")
