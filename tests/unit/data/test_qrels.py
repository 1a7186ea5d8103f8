import datasets
import numpy as np
import pytest

from nearer.data.evaluation_sets import judgments, read_collection, read_qrels
from nearer.errors import UsageError

BEIR = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td 3\t1\n"
ENTRIES = [("q1", "d1", 2), ("q1", "d2", 0), ("q2", "d 3", 1)]


def entries(qrels):
    return list(
        zip(
            qrels.query_ids.to_pylist(),
            qrels.doc_ids.to_pylist(),
            qrels.grades.tolist(),
            strict=True,
        )
    )


def refused(call, *args):
    with pytest.raises(UsageError) as caught:
        call(*args)
    return str(caught.value)


def collection(*ids):
    return read_collection([{"id": i, "text": "x"} for i in ids])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", BEIR),
        ("a.tsv", "\ufeff" + BEIR.replace("\n", "\r\n")),
        ("a.tsv", BEIR.split("\n", 1)[1]),
        ("a.trec", "q1 0 d1 2\nq1\t0\td2\t0\n\nq2\t0\td 3\t1.0\n"),
        ("a.csv", "query-id,corpus-id,score\nq1,d1,2\nq1,d2,0\nq2,d 3,1\n"),
        (
            "a.jsonl",
            '{"query-id":"q1","corpus-id":"d1","score":2}\n{"query-id":"q1","corpus-id":"d2",'
            '"score":0}\n{"query-id":"q2","corpus-id":"d 3","score":1}\n',
        ),
    ],
)
def test_files(write, name, content):
    qrels = read_qrels(write(name, content))
    assert entries(qrels) == ENTRIES
    assert qrels.grades.dtype == np.int64
    assert len(qrels) == 3


def test_lines_are_kept(write):
    assert read_qrels(write("a.tsv", BEIR)).lines.tolist() == [2, 3, 4]
    assert read_qrels(write("a.trec", "q1 0 d1 2\n\nq2 0 d3 1\n")).lines.tolist() == [1, 3]
    csv = write("a.csv", "query-id,corpus-id,score\nq1,d1,2\n")
    assert read_qrels(csv).lines.tolist() == [2]


def test_objects():
    assert entries(read_qrels(ENTRIES)) == ENTRIES
    assert entries(read_qrels([(1, 2), ("a", "b", np.int64(-1))])) == [
        ("1", "2", 1),
        ("a", "b", -1),
    ]
    assert entries(read_qrels({"q1": {"d1": 2, "d2": 0}, "q2": ["d 3"]})) == ENTRIES
    assert entries(read_qrels({"q": "d"})) == [("q", "d", 1)]
    data = datasets.Dataset.from_dict({"query-id": [1], "corpus-id": [2], "score": [3]})
    assert entries(read_qrels(data)) == [("1", "2", 3)]


def test_lines_that_cannot_be_read(write):
    message = refused(
        read_qrels, write("a.tsv", "query-id\tcorpus-id\tscore\nq1\td1\nq1\td1\thigh\n")
    )
    assert "a.tsv: lines that cannot be read" in message
    assert "line 2: 2 fields: q1\td1" in message
    assert 'line 3: the grade "high" is no whole number' in message
    assert "`qid 0 docid grade` (TREC)" in message
    message = refused(read_qrels, write("a.trec", "q 0 d 1\nq 0 d 0.5\nq\n"))
    assert 'line 2: the grade "0.5" is no whole number' in message
    assert "line 3: 1 fields: q" in message
    message = refused(read_qrels, write("a.csv", "query-id,corpus-id,score\nq,,1\n"))
    assert 'line 2: "q", "", "1"' in message
    message = refused(read_qrels, write("a.csv", "a,b\nq,1\n"))
    assert (
        'qrels need the columns "query-id", "corpus-id" and "score"; there are "a", "b"' in message
    )
    message = refused(read_qrels, [("q", "d", 1), ("q", "d", "x"), ("q",)])
    assert "qrels, entry 1: ('q', 'd', 'x') is not (query id, document id)" in message
    assert "qrels, entry 2: ('q',)" in message


def test_no_judgments(write):
    assert "a.tsv: there are no judgments" in refused(
        read_qrels, write("a.tsv", "query-id\tcorpus-id\tscore\n")
    )
    assert "qrels: there are no judgments" in refused(read_qrels, {})
    path = write("qrels.tsv", BEIR)
    assert 'no such file. Did you mean "qrels.tsv"?' in refused(
        read_qrels, path.with_name("qrel.tsv")
    )


def test_pairs_that_stand_twice(write):
    path = write("a.trec", "q 0 d 1\nq 0 e 1\nq 0 d 1\n")
    assert entries(read_qrels(path)) == [("q", "d", 1), ("q", "e", 1)]
    message = refused(read_qrels, write("a.trec", "q 0 d 1\nq 0 e 1\nq 0 d 2\n"))
    assert "a.trec: pairs with two different grades" in message
    assert 'line 3: 2 for query "q" and document "d", but 1 on line 1' in message
    assert "entry 1: 0 for query" in refused(read_qrels, [("q", "d"), ("q", "d", 0)])


def test_judgments_are_joined_and_counted():
    qrels = read_qrels(
        [
            ("q2", "d1", 1),
            ("q1", "d3", 2),
            ("q1", "d1", 0),
            ("q1", "gone", 1),
            ("q3", "gone", 1),
            ("other", "d1", 1),
            ("other", "lost", 1),
        ]
    )
    found = judgments(qrels, collection("q1", "q2", "q3", "q4"), collection("d1", "d2", "d3"))
    assert found.query_rows.tolist() == [0, 0, 1]
    assert found.index_rows.tolist() == [0, 2, 0]
    assert found.grades.tolist() == [0, 2, 1]
    assert found.unknown_queries == 1
    assert found.unknown_documents == 1
    assert found.queries_without_relevant == 2


def test_no_judgment_fits():
    message = refused(judgments, read_qrels([("q7", "d1")]), collection("q1"), collection("d1"))
    assert "qrels: no judgment fits: none of its query ids is in list" in message
    assert 'Its first is "q7", there it is "q1"' in message
    message = refused(judgments, read_qrels([("q1", "D1")]), collection("q1"), collection("d1"))
    assert "none of its document ids is in list" in message
    assert 'Its first is "D1", there it is "d1"' in message
