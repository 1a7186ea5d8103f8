"""What a user hands over becomes queries, index and relevance; what does not count is said."""

from pathlib import Path

import numpy as np
import pytest

from nearer.errors import DataError, SpecError
from nearer.evaluation.reading import read_evaluation_set

QUERIES = [{"id": "q0", "text": "red shoes"}, {"id": "q1", "text": "warm hat"}]
INDEX = [{"id": "d0", "text": "shoes in red"}, {"id": "d1", "text": "a hat of wool"}]


def relevant(read) -> list[tuple[int, int]]:
    """Every (query, index row) that counts as relevant."""
    data = read.data
    hits = np.tile(np.arange(len(data.searched)), (len(data.query), 1))
    gains = data.relevance.gains(np.arange(len(data.query)), hits)
    return [(int(q), int(d)) for q, d in zip(*np.nonzero(gains), strict=True)]


def test_judgments_join_by_id():
    read = read_evaluation_set(QUERIES, INDEX, [("q0", "d1"), ("q1", "d0", 2)])
    assert relevant(read) == [(0, 1), (1, 0)]
    assert read.notes == ()


def test_pairs_are_queries_index_and_relevance_in_one(tmp_path: Path):
    file = tmp_path / "pairs.csv"
    file.write_text("query,document\na,x\nb,y\na,y\na,x\n")
    read = read_evaluation_set(str(file))
    assert read.data.query.items.to_pylist() == ["a", "b"]
    assert read.data.searched.items.to_pylist() == ["x", "y"]
    assert relevant(read) == [(0, 0), (0, 1), (1, 1)]


def test_pairs_under_other_names(tmp_path: Path):
    file = tmp_path / "pairs.csv"
    file.write_text("q,d\na,x\nb,y\n")
    read = read_evaluation_set(str(file), columns={"query": "q", "document": "d"})
    assert relevant(read) == [(0, 0), (1, 1)]


def test_equal_labels_are_relevant_and_a_query_does_not_find_itself():
    rows = [{"text": t, "label": label} for t, label in zip("abcd", "xxyy", strict=True)]
    read = read_evaluation_set(rows)
    assert relevant(read) == [(0, 1), (1, 0), (2, 3), (3, 2)]


def test_a_beir_folder_is_one_argument(tmp_path: Path):
    (tmp_path / "qrels").mkdir()
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "a"}\n')
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "title": "t", "text": "b"}\n')
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    read = read_evaluation_set(str(tmp_path))
    assert read.data.searched.items.to_pylist() == ["t b"]
    assert relevant(read) == [(0, 0)]


def test_judgments_that_do_not_count_are_counted():
    qrels = [("q0", "d0"), ("q0", "gone"), ("nobody", "d0")]
    read = read_evaluation_set(QUERIES, INDEX, qrels)
    assert read.notes == (
        "qrels judges 1 documents that are not in the index; they do not count",
        f"qrels judges 1 queries that are not in {read.data.query.source}; they are passed over",
        "nothing in the index is relevant to 1 of 2 queries; they count 0 in every mean",
    )


def test_a_set_in_which_nothing_is_relevant_is_refused():
    with pytest.raises(DataError, match=r"nothing in .* is relevant to any query of .*grades"):
        read_evaluation_set(QUERIES, INDEX, [("q0", "d0", 0)])


def test_labels_that_never_meet_are_refused():
    queries = [{"text": "a", "label": "x"}]
    with pytest.raises(DataError, match="look at the labels"):
        read_evaluation_set(queries, [{"text": "b", "label": "y"}])


def test_all_faults_come_at_once(tmp_path: Path):
    gone = [str(tmp_path / name) for name in ("q.jsonl", "c.jsonl", "r.tsv")]
    with pytest.raises(SpecError) as caught:
        read_evaluation_set(*gone)
    assert [fault.split(":")[0] for fault in caught.value.faults] == gone


def test_scored_pairs_are_not_an_evaluation():
    rows = [{"query": "a", "document": "b", "negative": "c"}]
    with pytest.raises(DataError, match="an evaluation takes pairs, not negatives"):
        read_evaluation_set(rows)


def test_no_queries_at_all():
    with pytest.raises(SpecError, match="query_data: missing"):
        read_evaluation_set(None)


def test_both_directions_need_an_index_and_all_queries():
    rows = [{"id": "a", "text": "x", "label": "1"}, {"id": "b", "text": "y", "label": "1"}]
    with pytest.raises(SpecError, match="the queries are the index, so there is one direction"):
        read_evaluation_set(rows, both_directions=True)
    with pytest.raises(SpecError, match="leave out query_sample_size"):
        read_evaluation_set(rows, rows, query_sample_size=1, both_directions=True)


def test_rows_of_the_index_that_no_query_is_relevant_to_are_counted():
    queries = [{"id": "a", "text": "x", "label": "1"}]
    index = [{"id": str(i), "text": f"y{i}", "label": str(i)} for i in range(3)]
    read = read_evaluation_set(queries, index, both_directions=True)
    assert read.notes == (
        "no query is relevant to 2 of 3 rows of the index; they count 0 in every mean of the "
        "reverse direction",
    )
