"""Large files read once: the same examples, from any form, and mapped the second time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest

from nearer.data import csvfile, jsonfile, keeping, streaming
from nearer.data.columns import read_examples
from nearer.data.examples import Examples
from nearer.encoder.kept import KeptFolders
from nearer.errors import DataError

PAIRS = [(f"query {i % 40}, it", f'a "document" {i % 70}\nof two lines') for i in range(400)]
FRAME = pd.DataFrame(PAIRS, columns=["query", "document"])


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeptFolders:
    """A cache for files of any size, which are read in many small pieces."""
    monkeypatch.setattr(keeping, "KEPT_FROM", 0)
    monkeypatch.setattr(csvfile, "_BLOCK", 1 << 10)
    monkeypatch.setattr(jsonfile, "_BLOCK", 1 << 10)
    monkeypatch.setattr(streaming, "_ROWS", 32)
    return KeptFolders(tmp_path / "cache", 1 << 30)


def write_stream(frame: pd.DataFrame, path: Path) -> None:
    table = pa.Table.from_pandas(frame)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=50)


WRITERS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "a.csv": lambda frame, path: frame.to_csv(path, index=False),
    "bom.csv": lambda frame, path: frame.to_csv(path, index=False, encoding="utf-8-sig"),
    "semicolon.csv": lambda frame, path: frame.to_csv(path, index=False, sep=";"),
    "a.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "a.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "a.parquet": lambda frame, path: frame.to_parquet(path, row_group_size=64),
    "a.feather": lambda frame, path: frame.to_feather(path),
    "a.arrow": write_stream,
}


def assert_same(ours: Examples, theirs: Examples) -> None:
    assert (ours.kind, ours.names, ours.sides) == (theirs.kind, theirs.names, theirs.sides)
    assert ours.table.to_pylist() == theirs.table.to_pylist()
    assert [c.tolist() for c in ours.codes] == [c.tolist() for c in theirs.codes]
    assert ours.fingerprint == theirs.fingerprint
    assert ours.class_names == theirs.class_names
    assert (ours.skipped, ours.reasons, ours.source) == (
        theirs.skipped,
        theirs.reasons,
        theirs.source,
    )
    for name in ("scores", "labels"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert (mine is None) == (other is None)
        assert mine is None or mine.tolist() == other.tolist()


def outcome(path: Path, keep: KeptFolders | None = None) -> Examples | str:
    """The examples of a file, or the message that refuses it."""
    try:
        return read_examples(path, keep=keep)
    except DataError as error:
        return str(error)


def is_mapped(examples: Examples) -> bool:
    return isinstance(examples.contents.codes[0], np.memmap)


@pytest.mark.parametrize("name", WRITERS)
def test_every_form_gives_the_same_examples(name: str, tmp_path: Path, keep: KeptFolders) -> None:
    path = tmp_path / name
    WRITERS[name](FRAME, path)
    plain = read_examples(path)
    assert not is_mapped(plain)
    for _ in range(2):
        kept = read_examples(path, keep=keep)
        assert is_mapped(kept)
        assert_same(kept, plain)
        rows = np.array([399, 0, 0, 41])
        ours, theirs = kept.batch(rows), plain.batch(rows)
        for mine, other in zip(ours.columns, theirs.columns, strict=True):
            assert mine.items == list(other.items)
            assert mine.codes.tolist() == other.codes.tolist()
            assert mine.codes.dtype == np.int64


def test_the_second_time_nothing_is_parsed(
    tmp_path: Path, keep: KeptFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    WRITERS["a.csv"](FRAME, path)
    first = read_examples(path, keep=keep)
    monkeypatch.setattr(keeping, "open_stream", None)
    assert_same(read_examples(path, keep=keep), first)
    moved = path.rename(tmp_path / "b.csv")  # what it holds counts, not where it lies
    assert is_mapped(read_examples(moved, keep=keep))


def test_a_file_that_changed_is_read_again(tmp_path: Path, keep: KeptFolders) -> None:
    path = tmp_path / "a.csv"
    path.write_text("query,document\na,b\nc,d\n")
    read_examples(path, keep=keep)
    path.write_text("query,document\na,b\nc,e\n")  # of the same size, within the same second
    assert read_examples(path, keep=keep).table["document"].to_pylist() == ["b", "e"]


def test_columns_are_part_of_the_question(tmp_path: Path, keep: KeptFolders) -> None:
    path = tmp_path / "a.csv"
    path.write_text("query,document,other\na,b,x\nc,d,y\n")
    assert read_examples(path, keep=keep).table["document"].to_pylist() == ["b", "d"]
    mapped = read_examples(path, columns={"document": "other"}, keep=keep)
    assert mapped.table["document"].to_pylist() == ["x", "y"]


def test_negatives_scores_and_labels(tmp_path: Path, keep: KeptFolders) -> None:
    rows = [
        {"query": f"q{i % 3}", "document": f"d{i}", "negative": f"d{i + 1}", "score": i / 2}
        for i in range(50)
    ]
    labelled = [{"text": f"t{i}", "label": 7 - i % 3} for i in range(50)]
    for name, data in (("margins", rows), ("labels", labelled)):
        for suffix in ("jsonl", "parquet", "csv"):
            path = tmp_path / f"{name}.{suffix}"
            WRITERS[f"a.{suffix}"](pd.DataFrame(data), path)
            kept = read_examples(path, keep=keep)
            assert is_mapped(kept)
            assert_same(kept, read_examples(path))


def test_bad_rows_are_remembered(tmp_path: Path, keep: KeptFolders) -> None:
    rows = [{"query": q, "document": d} for q, d in PAIRS]
    for i in (3, 90, 91, 200, 300, 301, 399):
        rows[i]["query" if i % 2 else "document"] = " "
    for suffix in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"bad.{suffix}"
        WRITERS[f"a.{suffix}"](pd.DataFrame(rows), path)
        with pytest.raises(DataError) as plain:
            read_examples(path)
        with pytest.raises(DataError) as refused:
            read_examples(path, keep=keep)
        assert str(refused.value) == str(plain.value)
        assert not keep.usage()
        for _ in range(2):
            skipped = read_examples(path, on_bad_row="skip", keep=keep)
            assert is_mapped(skipped)
            assert skipped.skipped == 7
            assert_same(skipped, read_examples(path, on_bad_row="skip"))
        keep.clear()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ragged.csv", "query,document\na,b\nc\n"),
        ("open.csv", 'query,document\na,b\nc,"d\ne,f\n'),
        ("twice.csv", "query,query\na,b\n"),
        ("header.csv", "query,document\n"),
        ("unknown.csv", "x,y\na,b\n"),
        ("one.csv", "text,label\na,x\nb,x\n"),
        ("latin.csv", b"query,document\na,caf\xe9\n"),
        ("broken.jsonl", '{"query": "a", "document": "b"}\n{"query": \n'),
        ("no.parquet", "PAR1 it is not"),
        ("score.csv", "text1,text2,score\na,b,much\n"),
    ],
)
def test_faults_are_those_of_reading_it_whole(
    name: str, content: str | bytes, tmp_path: Path, keep: KeptFolders
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as plain:
        read_examples(path)
    with pytest.raises(DataError) as kept:
        read_examples(path, keep=keep)
    assert str(kept.value) == str(plain.value)
    assert not keep.usage()
    assert not list(keep.folder.rglob("*.tmp"))


def test_what_cannot_be_read_in_pieces_is_read_whole(tmp_path: Path, keep: KeptFolders) -> None:
    """Keys that come late, long numbers, arrays, UTF-16: right, though not kept."""
    many = [{"query": f"q{i}", "document": f"d{i}"} for i in range(60)]
    late = [*many, {"query": "a", "document": "b", "negative": "c"}]
    late = [{"negative": "n", **row} if i > 58 else row for i, row in enumerate(late)]
    files = {
        "late.jsonl": "".join(json.dumps(row) + "\n" for row in late).encode(),
        "long.jsonl": "".join(
            json.dumps({"query": 2**70 + i, "document": "d"}) + "\n" for i in range(3)
        ).encode(),
        "array.json": json.dumps(many).encode(),
        "wide.csv": "query,document\na,b\n".encode("utf-16"),
        "line.csv": b"query,document\na,b",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        plain, kept = outcome(path), outcome(path, keep)
        if isinstance(plain, str) or isinstance(kept, str):
            assert kept == plain
        else:
            assert_same(kept, plain)


def test_dates_stay_what_stands_in_the_file(tmp_path: Path, keep: KeptFolders) -> None:
    path = tmp_path / "dates.jsonl"
    path.write_text('{"query": "2020-01-01", "document": "b"}\n' * 3)
    kept = read_examples(path, keep=keep)
    assert is_mapped(kept)
    assert kept.table["query"].to_pylist() == ["2020-01-01"] * 3


def test_small_files_pictures_and_encodings_are_not_kept(
    tmp_path: Path, keep: KeptFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    path = tmp_path / "pictures.csv"
    path.write_text("text,image\nred,a.png\nblue,a.png\n")
    assert (
        read_examples(path, keep=keep).table["image"].to_pylist() == [str(tmp_path / "a.png")] * 2
    )
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"query,document\na,caf\xe9\nb,c\n")
    assert len(read_examples(latin, encoding="latin-1", keep=keep)) == 2
    monkeypatch.setattr(keeping, "KEPT_FROM", 4 << 20)
    small = tmp_path / "small.csv"
    small.write_text("query,document\na,b\nc,d\n")
    read_examples(small, keep=keep)
    assert not keep.usage()


def test_a_damaged_folder_is_made_again(tmp_path: Path, keep: KeptFolders) -> None:
    path = tmp_path / "a.csv"
    WRITERS["a.csv"](FRAME, path)
    first = read_examples(path, keep=keep)
    for damage in ("rows.arrow", "codes-1", "facts.json"):
        (file,) = keep.folder.rglob(damage)
        file.write_bytes(file.read_bytes()[:-50])
        assert_same(read_examples(path, keep=keep), first)


def test_selections_copy_no_texts(tmp_path: Path, keep: KeptFolders) -> None:
    path = tmp_path / "a.csv"
    WRITERS["a.csv"](FRAME, path)
    kept = read_examples(path, keep=keep)
    some = kept.take(np.arange(10, 0, -1)).take(np.array([0, 3]))
    assert some.contents is kept.contents
    assert some.table["query"].to_pylist() == [PAIRS[10][0], PAIRS[7][0]]
    assert some.batch(np.array([1])).columns[0].items == [PAIRS[7][0]]
    assert len({kept.fingerprint, some.fingerprint, kept.take(np.array([10, 8])).fingerprint}) == 3
    assert some.fingerprint == kept.take(np.array([10, 7])).fingerprint
