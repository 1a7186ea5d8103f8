import json

import datasets
import pytest
from PIL import Image

from nearer.data.evaluation_sets import judgments, read_beir, read_collection, read_qrels
from nearer.errors import SpecError, UsageError


def refused(call, *args, **options):
    with pytest.raises(UsageError) as caught:
        call(*args, **options)
    return str(caught.value)


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def test_ids_texts_and_labels(write):
    path = write("a.csv", "id,text,label\n007,red shoes,shoe\n8,hat,hat\n")
    found = read_collection(path)
    assert found.ids.to_pylist() == ["007", "8"]
    assert found.items.to_pylist() == ["red shoes", "hat"]
    assert found.labels.to_pylist() == ["shoe", "hat"]
    assert (found.modality, found.source, len(found), found.skipped) == ("text", str(path), 2, 0)


def test_ids_of_beir_and_of_numbers():
    assert read_collection([{"_id": "x", "text": "a"}]).ids.to_pylist() == ["x"]
    assert read_collection([{"id": 7, "text": "a"}]).ids.to_pylist() == ["7"]
    found = read_collection([{"text": "a"}, {"text": "b"}])
    assert found.ids.to_pylist() == ["0", "1"]
    assert found.labels is None


def test_row_numbers_stay_those_of_the_file():
    source = [{"text": "a"}, {"text": " "}, {"text": "c"}]
    found = read_collection(source, on_bad_row="skip")
    assert found.ids.to_pylist() == ["0", "2"]
    assert (found.skipped, found.reasons) == (1, ('row 1, column "text": empty text',))


def test_the_title_stands_before_the_text():
    found = read_collection(
        [
            {"_id": "1", "title": "Hats", "text": "All about hats"},
            {"_id": "2", "title": "", "text": "No title"},
            {"_id": "3", "title": None, "text": "None"},
            {"_id": "4", "title": "Only a title", "text": ""},
        ],
        role="index",
    )
    assert found.items.to_pylist() == ["Hats All about hats", "No title", "None", "Only a title"]


def test_pictures(write, tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    path = write("a.jsonl", lines({"id": "1", "image": "a.png"}, {"id": "2", "image": "b.png"}))
    message = refused(read_collection, path, role="index")
    assert f'line 2, column "image": no such file: {tmp_path / "b.png"}' in message
    found = read_collection(path, role="index", on_bad_row="skip")
    assert found.items.to_pylist() == [str(tmp_path / "a.png")]
    assert found.modality == "image"


def test_columns_are_mapped():
    source = [{"key": 1, "question": "a", "id": "z"}]
    found = read_collection(source, columns={"id": "key", "text": "question"})
    assert found.ids.to_pylist() == ["1"]
    message = refused(read_collection, source, columns={"text": "qestion"})
    assert 'no column "qestion" (given for text). Did you mean "question"?' in message
    message = refused(read_collection, source, columns={"query": "question"})
    assert '"query" is none of the names that have a meaning here' in message


def test_faults_of_columns(write):
    message = refused(read_collection, [{"question": "a"}], role="query")
    assert 'list (query data): no column "text" or "image" among "question"' in message
    assert 'columns={"text": "question"}' in message
    message = refused(read_collection, write("a.csv", "red shoes\nhat\n"), role="index")
    assert "The first line of the file is taken for its header: red shoes" in message
    message = refused(read_collection, [{"text": "a", "image": "b"}], role="index")
    assert "(index data): there are texts and pictures" in message


def test_ids_that_stand_twice(write):
    path = write("a.csv", "id,text\na,1\nb,2\na,3\nb,4\na,5\n")
    message = refused(read_collection, path)
    assert 'a.csv, column "id": 2 ids stand on more than one row' in message
    assert '"a" on line 2 and line 4 and line 6' in message
    assert '"b" on line 3 and line 5' in message
    path = write("a.csv", "id,text\na,1\na,\n,2\na,3\n")
    with pytest.raises(SpecError) as caught:
        read_collection(path)
    assert 'line 4, column "id": empty id' in caught.value.faults[0]
    assert 'line 3, column "text": empty text' in caught.value.faults[0]
    assert '"a" on line 2' in caught.value.faults[1]


def test_nothing_left():
    message = refused(read_collection, [{"text": " "}], on_bad_row="skip")
    assert "No row is left" in message
    assert "there are no rows" in refused(read_collection, [])


def beir(write, qrels="query-id\tcorpus-id\tscore\nq1\td1\t1\n", split="test"):
    write(
        "corpus.jsonl", lines({"_id": "d1", "title": "T", "text": "x"}, {"_id": "d2", "text": "y"})
    )
    write("queries.jsonl", lines({"_id": "q0", "text": "other"}, {"_id": "q1", "text": "q"}))
    return write(f"qrels/{split}.tsv", qrels).parent.parent


def test_a_beir_folder(write):
    query, index, qrels = read_beir(beir(write))
    assert query.ids.to_pylist() == ["q1"]
    assert index.items.to_pylist() == ["T x", "y"]
    assert judgments(qrels, query, index).index_rows.tolist() == [0]


def test_a_beir_folder_with_parts_missing(write, tmp_path):
    folder = beir(write, split="dev")
    message = refused(read_beir, folder, split="dve")
    assert "missing: qrels/dve.tsv" in message
    assert 'Splits with qrels: "dev". Did you mean "dev"?' in message
    (folder / "corpus.jsonl").unlink()
    assert "not a BEIR folder; missing: corpus.jsonl." in refused(read_beir, folder, split="dev")
    assert "no such folder; missing: corpus.jsonl, queries.jsonl" in refused(
        read_beir, tmp_path / "gone"
    )
    folder = beir(write, "query-id\tcorpus-id\tscore\nz\td1\t1\n")
    message = refused(read_beir, folder)
    assert "judges no query of" in message
    assert 'its first is "z", theirs "q0"' in message


def test_a_dataset_of_mapped_rows():
    data = datasets.Dataset.from_dict({"id": ["a", "b", "c"], "text": ["x", "y", "z"]})
    assert read_collection(data.select([2, 0])).ids.to_pylist() == ["c", "a"]


def test_real_sets(real):
    query = read_collection(real("medquad/queries.test.jsonl"))
    index = read_collection(real("medquad/corpus.jsonl"), role="index")
    found = judgments(read_qrels(real("medquad/qrels.test.tsv")), query, index)
    assert (len(query), len(index), len(found.grades)) == (1030, 5430, 1030)
    assert (found.unknown_queries, found.unknown_documents) == (0, 0)
    assert found.queries_without_relevant == 0
    query = read_collection(real("openclipart/queries.test.jsonl"))
    index = read_collection(real("openclipart/corpus.test.jsonl"), role="index")
    found = judgments(read_qrels(real("openclipart/qrels.test.tsv")), query, index)
    assert (len(query), len(index), index.modality) == (449, 536, "image")
    assert found.queries_without_relevant == 0
