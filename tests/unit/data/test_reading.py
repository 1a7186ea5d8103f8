import gzip
import re
import subprocess
import sys
from pathlib import Path

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from nearer.data.reading import read_rows
from nearer.errors import DataError

PAIRS = [{"query": "a", "document": "b"}, {"query": "c", "document": "d"}]


def refused(source, **options):
    with pytest.raises(DataError) as caught:
        read_rows(source, **options)
    return str(caught.value)


def test_csv_cells_are_strings_as_they_stand(write):
    path = write("a.csv", 'id,text\n007,NA\n1e3,"x, ""y""\r\nz"\n"",null\n')
    rows = read_rows(path)
    assert rows.table.to_pydict() == {
        "id": ["007", "1e3", ""],
        "text": ["NA", 'x, "y"\r\nz', "null"],
    }
    assert rows.folder == path.parent
    assert rows.places([0, 1, 2]) == ["line 2", "line 3", "line 5"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "query,document\na,b\nc,d\n"),
        ("a.csv", "query,document\r\na,b\r\nc,d\r\n"),
        ("a.csv", "\ufeffquery,document\na,b\nc,d"),
        ("a.csv", "query, document \n\na,b\n\nc,d\n"),
        ("a.csv", "query;document\na;b\nc;d\n"),
        ("a.csv", "query,document\na,b\nc,d\n".encode("utf-16")),
        ("a.tsv", "query\tdocument\na\tb\nc\td\n"),
        ("a.csv.gz", gzip.compress(b"query,document\na,b\nc,d\n")),
        ("a.tsv.gz", gzip.compress(b"query\tdocument\na\tb\nc\td\n")),
        ("a.jsonl", '{"query":"a","document":"b"}\n\n{"query":"c","document":"d"}\n'),
        ("a.json", '{"query":"a","document":"b"}\n{"query":"c","document":"d"}'),
        ("a.json", '[{"query":"a","document":"b"},\n {"query":"c","document":"d"}]'),
        (
            "A.JSONL.GZ",
            gzip.compress(b'{"query":"a","document":"b"}\n{"query":"c","document":"d"}'),
        ),
    ],
)
def test_text_formats_give_the_same_rows(write, name, content):
    assert read_rows(write(name, content)).table.to_pylist() == PAIRS


def test_arrow_formats_give_the_same_rows(tmp_path):
    table = pa.Table.from_pylist(PAIRS)
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    pyarrow.feather.write_feather(table, tmp_path / "a.feather")
    with pa.ipc.new_file(str(tmp_path / "file.arrow"), table.schema) as file:
        file.write_table(table)
    with pa.ipc.new_stream(str(tmp_path / "stream.arrow"), table.schema) as file:
        file.write_table(table)
    for name in ("a.parquet", "a.feather", "file.arrow", "stream.arrow"):
        rows = read_rows(str(tmp_path / name))
        assert rows.table.to_pylist() == PAIRS, name
        assert rows.places([1]) == ["row 1"]


def test_objects_give_the_same_rows(tmp_path):
    dataset = datasets.Dataset.from_list(PAIRS)
    dataset.save_to_disk(str(tmp_path / "saved"))
    for source in (PAIRS, pd.DataFrame(PAIRS), dataset, tmp_path / "saved"):
        rows = read_rows(source)
        assert rows.table.to_pylist() == PAIRS
        assert rows.places([0]) == ["row 0"]


def test_a_dataset_stays_mapped_and_keeps_its_selection(tmp_path):
    datasets.Dataset.from_list(PAIRS).save_to_disk(str(tmp_path / "saved"))
    mapped = datasets.load_from_disk(str(tmp_path / "saved"))
    before = pa.total_allocated_bytes()
    rows = read_rows(mapped)
    assert pa.total_allocated_bytes() == before
    assert rows.table.to_pylist() == PAIRS
    assert read_rows(mapped.select([1, 1, 0])).table["query"].to_pylist() == ["c", "c", "a"]


def test_class_labels_of_a_dataset_become_names():
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    data = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features)
    assert read_rows(data).table["label"].to_pylist() == ["yes", "no", None]


def test_a_list_may_have_other_keys_and_mixed_values():
    rows = read_rows([{"id": 1, "image": Path("a.jpg")}, {"id": "x2", "text": "b"}])
    assert rows.table.to_pydict() == {
        "id": ["1", "x2"],
        "image": ["a.jpg", None],
        "text": [None, "b"],
    }


def test_a_frame_with_mixed_and_missing_values():
    frame = pd.DataFrame({"id": [1, "x2"], "text": ["a", float("nan")]})
    assert read_rows(frame).table.to_pydict() == {"id": ["1", "x2"], "text": ["a", None]}


def test_json_strings_stay_strings_and_long_ids_stay_whole(write):
    path = write("a.jsonl", '{"text": "2020-01-01", "id": 1}\n{"text": "2021-02-02", "id": 2}\n')
    assert read_rows(path).table["text"].to_pylist() == ["2020-01-01", "2021-02-02"]
    path = write("b.jsonl", '{"id": 12345678901234567890}\n{"id": 12345678901234567891}\n')
    ids = [str(i) for i in read_rows(path).table["id"].to_pylist()]
    assert ids == ["12345678901234567890", "12345678901234567891"]
    path = write("c.jsonl", '{"id": 1}\n{"id": "x"}\n')
    assert read_rows(path).table["id"].to_pylist() == ["1", "x"]


def test_rows_longer_than_a_block(write):
    long = "x" * (9 << 20)
    rows = read_rows(write("a.csv", f'a,b\n1,2\n"{long}",3\n'))
    assert rows.table["a"].to_pylist() == ["1", long]
    assert rows.places([1]) == ["line 3"]
    assert read_rows(write("a.jsonl", f'{{"a":"{long}"}}\n')).table["a"].to_pylist() == [long]


def test_encoding(write):
    path = write("a.csv", "query,document\nok,ok\ncafé,x\n".encode("cp1252"))
    message = refused(path)
    assert f"{path}, line 3: not UTF-8 (byte 0xe9)" in message
    assert "iconv" in message
    assert read_rows(path, encoding="cp1252").table["query"].to_pylist() == ["ok", "café"]
    assert "line 3: not ascii" in refused(path, encoding="ascii")
    assert 'there is no encoding "utf-9"' in refused(path, encoding="utf-9")
    path = write("a.jsonl", '{"a": "x"}\n{"a": "é"}\n'.encode("latin-1"))
    assert "a.jsonl, line 2: not UTF-8" in refused(path)


def test_lines_of_other_width_are_named(write):
    message = refused(write("a.csv", 'a,b\n1,2\n"x\ny",4,5\n6\n7,8\n'))
    assert "a.csv: 2 lines have another number of columns than the header" in message
    assert "line 3: 3 found, 2 expected" in message
    assert "line 5: 1 found, 2 expected" in message
    assert 'is written in quotes: "a, b"' in message


def test_a_quote_that_never_closes_is_named(write):
    message = refused(write("a.csv", 'a,b\n1,2\n3,"open\n5,6\n7,8\n'))
    assert "a.csv, line 3: a quotation mark opens in this row and never closes" in message
    assert read_rows(write("b.csv", 'a,b\n1,"x\ny"')).table["b"].to_pylist() == ["x\ny"]
    assert read_rows(write("c.csv", 'a,b\n1,5" pipe\n')).table["b"].to_pylist() == ['5" pipe']


def test_bad_json_lines_are_named(write):
    message = refused(write("a.jsonl", '{"a": 1}\n{"a": \n\n[1, 2]\n'))
    assert "a.jsonl: lines that cannot be read" in message
    assert "line 2, character" in message
    assert "no valid JSON (expecting value)" in message
    assert "line 4: [1, 2] is no object" in message
    assert 'one JSON object: {"query": "…", "document": "…"}' in message
    assert "the array must hold objects only" in refused(write("a.json", "[1, 2]"))
    assert "no valid JSON" in refused(write("a.json", "[{]"))
    message = refused(write("a.json", '[{"a": {"b": 1}}, {"a": "x"}]'))
    assert 'column "a", row 1 holds text, where dict stands before' in message


@pytest.mark.parametrize("line", ['{"a": "\\ud800"}', '{"\\ud800": "a"}'])
def test_half_of_a_surrogate_pair_is_named(write, line):
    assert re.search("no character|no text of Unicode", refused(write("a.jsonl", line + "\n")))


def test_names_that_stand_twice(write):
    message = refused(write("a.csv", "query,query\na,b\n"))
    assert 'a.csv, line 1: "query" stands more than once in the header' in message
    frame = pd.DataFrame([["a", "b"]], columns=["query", "query"])
    assert 'DataFrame: more than one column is called "query"' in refused(frame)
    table = pa.table([["a"], ["b"]], names=["query", "query"])
    path = write("a.arrow", b"")
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)
    assert 'a.arrow: more than one column is called "query"' in refused(path)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.tsv"])
def test_empty_files(write, name):
    assert refused(write(name, "")).endswith(f"{name}: the file is empty.")
    assert refused(write(name, "\ufeff")).endswith(f"{name}: the file is empty.")
    if name != "a.jsonl":
        assert refused(write(name, "\n\n  \n")).endswith(f"{name}: the file is empty.")


def test_files_without_rows(write):
    header = "there is a header line, but no row"
    assert refused(write("a.csv", "query,document\n")).endswith(f"a.csv: {header}.")
    assert refused(write("a.csv", "query,document")).endswith(f"a.csv: {header}.")
    assert "there are no rows" in refused(write("a.jsonl", "\n\n"))
    assert "list: there are no rows" in refused([])
    assert "there are no rows" in refused(write("a.json", "[]"))


def test_files_that_are_not_text(write):
    assert "not a text file but a Parquet file; name it .parquet" in refused(
        write("a.csv", b"PAR1\x00\x01")
    )
    assert "a zip or Excel file" in refused(write("a.csv", b"PK\x03\x04..."))
    assert "compressed with gzip; name it .gz" in refused(write("a.csv", gzip.compress(b"a,b")))
    assert "it holds zero bytes" in refused(write("a.csv", "a,b\n".encode("utf-16-le")))
    assert "cannot be decompressed" in refused(write("a.csv.gz", b"a,b\n1,2\n"))
    assert "cannot be decompressed" in refused(
        write("a.csv.gz", gzip.compress(b"a,b\n1,2\n" * 100)[:-9])
    )
    assert "cannot be read as Parquet" in refused(write("a.parquet", b"a,b\n1,2\n"))
    assert "cannot be read as Parquet (it is empty)" in refused(write("a.parquet", b""))
    assert "cannot be read as Arrow" in refused(write("a.arrow", b"a,b\n1,2\n"))


def test_paths_that_lead_nowhere(write):
    path = write("train.csv", "query,document\na,b\n")
    message = refused(path.with_name("tain.csv"))
    assert 'tain.csv: no such file. Did you mean "train.csv"?' in message
    assert "there is no folder" in refused(path.parent / "there" / "train.csv")
    assert "Looked in" in refused(path.parent / "zzzz.parquet")
    message = refused(path.parent)
    assert 'this is a folder; give a file. It holds "train.csv".' in message
    message = refused(write("a.xlsx", b"PK"))
    assert 'files that end in ".xlsx" are not read. Read are .csv, .tsv' in message


def test_objects_that_are_not_read(tmp_path):
    splits = datasets.DatasetDict({"train": datasets.Dataset.from_list(PAIRS)})
    assert 'give one of its splits: "train"' in refused(splits)
    splits.save_to_disk(str(tmp_path / "saved"))
    assert f"give one of them: {tmp_path / 'saved' / 'train'}." in refused(tmp_path / "saved")
    stream = splits["train"].to_iterable_dataset()
    assert "IterableDataset: a stream has no length" in refused(stream)
    assert "int: this is not read as data" in refused(3)
    assert "list, row 1: a tuple, not a dict" in refused([PAIRS[0], ("a", "b")])
    assert 'column "image", row 0 holds object' in refused([{"image": object()}])


def test_reading_imports_neither_datasets_nor_pandas_nor_torch():
    code = (
        "import sys, nearer.data.columns, nearer.data.evaluation_sets, nearer.data.class_batches, "
        "nearer.data.splitting\n"
        "print([m for m in ('datasets', 'pandas', 'torch', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_real_files_have_the_rows_their_readme_counts(real):
    assert len(read_rows(real("banking77/train.csv"))) == 10003
    test = read_rows(real("banking77/test.csv"))
    assert len(test) == 3080
    texts = test.table["text"].to_pylist()
    broken = next(i for i, text in enumerate(texts) if "\n" in text)
    assert test.places([broken, broken + 1])[0] == f"line {broken + 2}"
    assert len(read_rows(real("medquad/corpus.jsonl"))) == 5430


def test_a_compressed_file_that_unpacks_without_end_is_refused(write, monkeypatch):
    monkeypatch.setattr("nearer.data.textfile.FREE", 1 << 16)
    bomb = gzip.compress(b"query,document\n" + b"a,b\n" * (1 << 20))
    assert "unpacks to more than 200 times its size" in refused(write("a.csv.gz", bomb))
    monkeypatch.undo()
    assert len(read_rows(write("b.csv.gz", bomb))) == 1 << 20


def test_an_arrow_file_whose_offsets_lie_is_refused(tmp_path):
    table = pa.table({"query": ["red hat", "blue coat"], "document": ["a", "b"]})
    path = tmp_path / "a.arrow"
    pyarrow.feather.write_feather(table, path, compression="uncompressed")
    data = path.read_bytes()
    offsets = (0).to_bytes(4, "little") + (7).to_bytes(4, "little") + (16).to_bytes(4, "little")
    assert data.count(offsets) == 1
    path.write_bytes(data.replace(offsets, offsets[:4] + (1 << 30).to_bytes(4, "little") * 2))
    assert "cannot be read as Arrow" in refused(path)


@pytest.mark.parametrize("cell", ["=cmd()", "+1", "-1", "@a", '=HYPERLINK("x")'])
def test_a_formula_is_a_text(write, cell):
    quoted = cell.replace('"', '""')
    rows = read_rows(write("a.csv", f'query,document\n"{quoted}",b\n'))
    assert rows.table["query"].to_pylist() == [cell]


def test_a_path_that_can_be_none(tmp_path):
    assert "file name too long" in refused("query,document\n" + "a,b\n" * 2000)
    assert "embedded null byte" in refused("a\0b.csv")
    assert "rename it" in refused("caf\udce9.csv")
    assert "no file but a device" in refused("/dev/null")


def test_a_table_whose_columns_are_all_null_is_refused(tmp_path):
    table = pa.table({"query": pa.nulls(1000)})
    path = tmp_path / "a.arrow"
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)
    assert refused(path).endswith("a.arrow: no column holds a value.")
