"""From texts to metrics with an encoder made of arithmetic; blocks, duplicates, self-matches."""

import hashlib
import logging
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from torch import nn

from nearer.data.collection import Collection
from nearer.errors import DataError, UsageError
from nearer.evaluation import evaluator
from nearer.evaluation.evaluator import build_evaluation_set, evaluate, score
from nearer.evaluation.relevance import LabelRelevance

BARE = SimpleNamespace(module=nn.Identity())
"""An encoder of which only the device is asked: the embeddings come from elsewhere."""


def collection(items, labels=None, source="corpus.jsonl") -> Collection:
    cut = len(items) // 3  # several chunks, as a file that was read in parts has
    return Collection(
        ids=pa.chunked_array([[f"id{i}" for i in range(len(items))]], pa.string()),
        items=pa.chunked_array([items[:cut], items[cut:]], pa.string()),
        modality="text",
        labels=None if labels is None else pa.chunked_array([labels], pa.string()),
        source=source,
    )


class Fake:
    """Embeds a text by its hash; the part before "/" decides most of it. Records what it saw."""

    def __init__(self, dimension: int = 8) -> None:
        self.dimension = dimension
        self.seen: list[tuple[str, str]] = []

    def __call__(
        self,
        encoder,
        items,
        side,
        *,
        advance: Callable[[int], None] = lambda n: None,
        fresh: Callable[[int], None] = lambda n: None,
    ):
        assert encoder is BARE
        self.seen += [(side, item) for item in items]
        advance(len(items))
        fresh(len(items))
        rows = [self.vector(i.split("/")[0]) + 0.3 * self.vector(i) for i in items]
        return np.array(rows, dtype=np.float32).reshape(len(items), self.dimension)

    def vector(self, text: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
        return np.random.default_rng(seed).standard_normal(self.dimension)


def texts(n: int, classes: int, seed: int = 0) -> tuple[list[str], list[str]]:
    labels = [f"c{i % classes}" for i in np.random.default_rng(seed).permutation(n)]
    return [f"{label}/{i % (n * 2 // 3)}" for i, label in enumerate(labels)], labels


def equal(one, other) -> None:
    assert one.metrics == other.metrics
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.first_relevant, other.first_relevant)


def test_evaluate_equals_score_on_the_same_embeddings() -> None:
    (q, ql), (x, xl) = texts(30, 5), texts(200, 5, 1)
    fake = Fake()
    data = build_evaluation_set(collection(q, ql), collection(x, xl))
    result = evaluate(BARE, data, limit=10, cutoffs=[3, 15], encode=fake)
    plain = score(
        Fake()(BARE, q, "query"),
        Fake()(BARE, x, "document"),
        data.relevance,
        limit=10,
        cutoffs=[3, 15],
    )
    equal(result, plain)
    assert result.rows.shape == (30, 10)
    assert result.per_query["recall@15"].shape == (30,)
    assert result.metrics["recall@15"] >= result.metrics["recall_at_k"]
    assert len(fake.seen) == len(set(fake.seen)) == result.encoded
    assert result.encoded + result.reused == 230
    assert result.distinct == result.encoded  # no cache in between
    assert {side for side, _ in fake.seen} == {"query", "document"}
    assert (result.queries, result.index, result.queries_without_relevant) == (30, 200, 0)
    assert result.metrics["hit_at_k"] > 0.9
    assert result.seconds > 0


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_change_nothing(monkeypatch, block) -> None:
    (q, ql), (x, xl) = texts(30, 5), texts(200, 5, 1)
    data = build_evaluation_set(collection(q, ql), collection(x, xl))
    whole = evaluate(BARE, data, limit=10, encode=Fake(), metrics=["ndcg_at_k"])
    monkeypatch.setattr(evaluator, "BLOCK", block)
    fake = Fake()
    streamed = evaluate(
        BARE, data, limit=10, encode=fake, metrics=["ndcg_at_k"], memory_budget=1 << 12
    )
    equal(whole, streamed)
    assert streamed.encoded == whole.encoded == len(set(fake.seen)) == len(fake.seen)


def test_queries_that_are_the_index_do_not_find_themselves() -> None:
    q, labels = texts(60, 6)
    fake = Fake()
    data = build_evaluation_set(collection(q, labels))
    result = evaluate(BARE, data, limit=59, encode=fake)
    assert {side for side, _ in fake.seen} == {"query"}
    assert not (result.rows == np.arange(60)[:, None]).any()
    assert (result.rows >= 0).all()
    assert result.metrics["recall_at_k"] == 1
    assert result.index == 60
    assert data.relevance.counts.tolist() == [9] * 60
    vectors = fake(BARE, q, "query")
    codes = np.unique(labels, return_inverse=True)[1]
    relevance = LabelRelevance(codes, codes, 6, np.arange(60))
    equal(result, score(vectors, None, relevance, limit=59))


def test_progress_adds_up() -> None:
    seen: dict[str, list[int]] = {}

    @contextmanager
    def track(description, total):
        seen[description] = [total, 0]

        def advance(done: int) -> None:
            seen[description][1] += done

        yield advance

    (q, ql), (x, xl) = texts(30, 5), texts(200, 5, 1)
    data = build_evaluation_set(collection(q, ql), collection(x, xl))
    for budget in (1 << 30, 1 << 12):
        evaluate(BARE, data, encode=Fake(), track=track, memory_budget=budget)
        assert seen == {
            "Embedding queries": [30, 30],
            "Embedding index": [200, 200],
            "Matching": [200, 200],
        }


def test_r_precision_searches_as_deep_as_r() -> None:
    (q, ql), (x, xl) = texts(30, 4), texts(200, 4, 1)
    data = build_evaluation_set(collection(q, ql), collection(x, xl))
    shallow = evaluate(BARE, data, limit=5, encode=Fake())
    deep = evaluate(BARE, data, limit=200, encode=Fake())
    assert shallow.metrics["r_precision"] == deep.metrics["r_precision"]
    assert shallow.rows.shape == (30, 5)
    narrow = evaluate(BARE, data, limit=5, encode=Fake(), memory_budget=1 << 15)
    equal(shallow, narrow)  # a few queries at a time


def test_r_precision_is_left_out_with_a_warning_where_it_does_not_fit(caplog) -> None:
    (q, ql), (x, xl) = texts(30, 4), texts(200, 4, 1)
    data = build_evaluation_set(collection(q, ql), collection(x, xl))
    with caplog.at_level(logging.WARNING, "nearer"):
        result = evaluate(BARE, data, limit=5, encode=Fake(), memory_budget=1 << 12)
    assert "r_precision" not in result.metrics
    assert "r_precision left out" in caplog.text
    caplog.clear()
    old = evaluate(
        BARE, data, limit=5, encode=Fake(), memory_budget=1 << 12, definitions="docarray"
    )
    assert "r_precision" in old.metrics
    assert not caplog.text


def test_truncated_embeddings() -> None:
    (q, ql), (x, xl) = texts(30, 5), texts(200, 5, 1)
    data = build_evaluation_set(collection(q, ql), collection(x, xl))
    result = evaluate(BARE, data, encode=Fake(), truncate_dim=3)
    vectors = [Fake()(BARE, items, "query")[:, :3] for items in (q, x)]
    equal(result, score(*vectors, data.relevance))
    for wrong in (0, 9):
        with pytest.raises(UsageError, match="8 dimensions"):
            evaluate(BARE, data, encode=Fake(), truncate_dim=wrong)


def test_judgments_come_before_labels_and_unlabelled_rows_are_relevant_to_nothing() -> None:
    q, x = collection(["a", "b"], ["l", None]), collection(["c", "d", "e"], ["l", None, "l"])
    labelled = build_evaluation_set(q, x)
    assert labelled.relevance.counts.tolist() == [2, 0]
    judgments = (np.array([1]), np.array([2]), np.array([2]))
    judged = build_evaluation_set(q, x, judgments)
    assert judged.relevance.counts.tolist() == [0, 1]
    result = evaluate(BARE, judged, limit=2, encode=Fake())
    assert result.queries_without_relevant == 1
    assert result.metrics["hit_at_k"] == result.per_query["hit_at_k"].sum() / 2


def test_what_an_evaluation_set_refuses() -> None:
    q, x = collection(["a"], ["l"], "queries.jsonl"), collection(["b"])
    with pytest.raises(DataError, match=r'corpus.jsonl has no column "label".*qrels'):
        build_evaluation_set(q, x)
    with pytest.raises(DataError, match=r"row 4 of corpus\.jsonl, which has 1"):
        build_evaluation_set(q, x, (np.array([0]), np.array([4]), np.array([1])))
    with pytest.raises(DataError, match=r"corpus\.jsonl has no rows"):
        build_evaluation_set(q, collection([]))


def test_two_towers_of_different_dimensions() -> None:
    def encode(encoder, items, side, **progress):
        return np.ones((len(items), 2 if side == "query" else 3), dtype=np.float32)

    data = build_evaluation_set(collection(["a"], ["l"]), collection(["b"], ["l"]))
    with pytest.raises(DataError, match="2 dimensions and the index has 3"):
        evaluate(BARE, data, encode=encode)


def test_what_score_refuses() -> None:
    relevance = LabelRelevance(np.array([0]), np.array([0]), 1)
    one = np.ones((1, 2), dtype=np.float32)
    with pytest.raises(DataError, match="0 queries"):
        score(one[:0], one, relevance)
    with pytest.raises(DataError, match="relevance is of 1 queries, and there are 2"):
        score(np.ones((2, 2)), one, relevance)
    with pytest.raises(UsageError, match="limit"):
        score(one, one, relevance, limit=0)


def test_results_as_arrow() -> None:
    x, labels = texts(7, 2)
    data = build_evaluation_set(collection(x, labels))
    result = evaluate(BARE, data, limit=20, encode=Fake(), cutoffs=[1])
    table = result.to_arrow(data.query.ids, data.searched.ids)
    assert table.column_names[:4] == ["query", "hits", "scores", "first_relevant"]
    assert set(table.column_names[4:]) == set(result.metrics)
    first = table.to_pylist()[0]
    assert first["query"] == "id0"
    assert first["hits"] == [f"id{row}" for row in result.rows[0] if row >= 0]
    assert len(first["hits"]) == len(first["scores"]) == 6
    rank = first["first_relevant"]
    assert first["reciprocal_rank"] == (1 / rank if rank else 0)
    again = result.to_arrow(data.query.ids.combine_chunks(), data.query.ids)
    assert again.equals(table)


def test_numbers_need_no_torch() -> None:
    modules = "metrics, relevance, search, result, trec, scoring, evaluation_set"
    code = f"import sys; from nearer.evaluation import {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("budget", [1 << 30, 1 << 10])
def test_both_directions_from_one_encoding(budget) -> None:
    (q, ql), (x, xl) = texts(30, 5), texts(80, 5, 1)
    data = build_evaluation_set(collection(q, ql), collection(x, xl))
    fake = Fake()
    metrics = ["ndcg_at_k", "recall_at_k"]
    options = {"limit": 7, "cutoffs": [2], "metrics": metrics, "memory_budget": budget}
    both = evaluate(BARE, data, encode=fake, both_directions=True, **options)
    assert len(fake.seen) == len(set(fake.seen)) == both.encoded  # nothing was encoded twice
    equal(both, evaluate(BARE, data, encode=Fake(), **options))
    swapped = build_evaluation_set(collection(x, xl), collection(q, ql))
    # The other way round by hand: a text's vector is the same on either side here.
    back = evaluate(BARE, swapped, encode=Fake(), **options)
    equal(both.reverse, back)
    assert both.reported["reverse_ndcg@2"] == back.metrics["ndcg@2"]
    assert len(both.reported) == 2 * len(both.metrics)


def test_several_captions_and_several_pictures_are_all_relevant_either_way() -> None:
    # Captions 0 and 1 are of picture 0; pictures 1 and 2 share caption 2, with grades 1 and 3.
    rows = [0, 1, 2, 2], [0, 0, 1, 2], [1, 1, 1, 3]
    captions = collection([f"a/{i}" for i in range(3)])
    pictures = collection([f"b/{i}" for i in range(3)])
    data = build_evaluation_set(captions, pictures, tuple(np.array(part) for part in rows))
    result = evaluate(BARE, data, limit=3, encode=Fake(), both_directions=True)
    assert data.relevance.counts.tolist() == [1, 1, 2]
    assert result.reverse.metrics["recall_at_k"] == result.metrics["recall_at_k"] == 1
    back = {i: set() for i in range(3)}
    for query, row in zip(*rows[:2], strict=True):
        back[row].add(query)
    for row, found in enumerate(result.reverse.rows):
        first = next(i for i, query in enumerate(found, 1) if query in back[row])
        assert result.reverse.first_relevant[row] == first
