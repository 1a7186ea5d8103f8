"""What a sample scores is what its queries score in the evaluation of all, to the last bit."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nearer.evaluation.evaluator import evaluate
from nearer.evaluation.reading import read_evaluation_set

BARE = SimpleNamespace(module=nn.Identity())
"""An encoder of which only the device is asked: the embeddings come from elsewhere."""


def embed(encoder, items, side, **progress):
    """By hash and side, with few values, so that scores tie."""
    rows = [hashlib.sha256(f"{side} {item}".encode()).digest()[:4] for item in items]
    return np.array([list(row) for row in rows], dtype=np.float32).reshape(-1, 4) % 3 - 1


def labelled(n):
    return {
        "query_data": [{"id": f"q{i}", "text": f"t{i % 17}", "label": f"{i % 5}"} for i in range(n)]
    }


def judged(n):
    return {
        "query_data": [{"id": f"q{i}", "text": f"t{i}"} for i in range(n)],
        "index_data": [{"id": f"d{i}", "text": f"u{i % 23}"} for i in range(2 * n)],
        "qrels": [
            {"query-id": f"q{i}", "corpus-id": f"d{(i + k) % n}", "score": k % 3}
            for i in range(n)
            for k in (1, 3, 4)
        ],
    }


def judged_among_themselves(n):
    sets = judged(n)
    del sets["index_data"]
    for pair in sets["qrels"]:
        pair["corpus-id"] = pair["corpus-id"].replace("d", "q")
    return sets


def pairs(n):
    return {"query_data": [{"query": f"q{i % 13}", "document": f"d{i}"} for i in range(n)]}


@pytest.mark.parametrize("kind", [labelled, judged, judged_among_themselves, pairs])
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_sample_scores_what_its_queries_score_among_all(kind, data):
    sets = kind(data.draw(st.integers(8, 40)))
    whole = read_evaluation_set(**sets).data
    size = data.draw(st.integers(5, max(5, len(whole.query) - 1)))
    seed = data.draw(st.integers(0, 5))
    part = read_evaluation_set(**sets, query_sample_size=size, sample_seed=seed).data
    options = {
        "limit": data.draw(st.integers(1, 8)),
        "cutoffs": [2, 12],
        "distance": data.draw(st.sampled_from(["cosine", "dot", "euclidean"])),
        "encode": embed,
        "memory_budget": data.draw(st.sampled_from([1 << 30, 1 << 20])),
    }
    everyone = evaluate(BARE, whole, **options)
    sample = evaluate(BARE, part, **options)
    rows = np.arange(len(whole.query)) if part.asking is None else part.asking
    assert sample.queries == len(rows) == min(size, len(whole.query))
    assert sample.index == everyone.index
    for name, values in everyone.per_query.items():
        np.testing.assert_array_equal(sample.per_query[name], values[rows], err_msg=name)
        assert sample.metrics[name] == values[rows].mean()
    np.testing.assert_array_equal(sample.rows, everyone.rows[rows])
    np.testing.assert_array_equal(sample.scores, everyone.scores[rows])
