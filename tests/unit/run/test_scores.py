"""What is asked of an evaluation outside of a run is checked at the door, all faults at once."""

import logging
import subprocess
import sys

import numpy as np
import pytest

import nearer
from nearer.errors import DataError, NearerError, SpecError, UsageError

ROWS = [{"id": f"r{i}", "text": f"text {i}", "label": "ab"[i % 2]} for i in range(10)]
OTHER = [{"id": f"d{i}", "text": f"word {i}", "label": "ab"[i % 2]} for i in range(6)]
RNG = np.random.default_rng(1)
ONE, TWO = RNG.standard_normal((10, 4)), RNG.standard_normal((6, 4)).astype(np.float16)


@pytest.mark.parametrize(
    ("asked", "faults"),
    [
        ({"query_data": ROWS}, ["model, embeddings: neither is given; give a model"]),
        (
            {"model": "minilm", "embeddings": ONE},
            ["model, embeddings: both are given", "query_data: missing"],
        ),
        (
            {
                "embeddings": "gone.npy",
                "query_data": ROWS,
                "limit": 0,
                "truncate_dim": 0,
                "query_sample_size": 0,
                "sample_seed": -1,
                "memory_budget": "lots",
                "trec_run": "nowhere/run.txt",
            },
            [
                "limit: 0; must be at least 1",
                "truncate_dim: 0; must be at least 1",
                "query_sample_size: 0; must be at least 1",
                "sample_seed: -1; must be at least 0",
                "trec_run: there is no folder nowhere",
                "memory_budget is 'lots'",
            ],
        ),
        (
            {
                "embeddings": ("gone.npy", "gone.arrow"),
                "query_data": "q.csv",
                "index_data": "x.csv",
            },
            ["gone.npy: no such file", "gone.arrow: no such file", "q.csv: ", "x.csv: "],
        ),
    ],
)
def test_faults_are_reported_all_at_once(asked, faults):
    with pytest.raises(SpecError) as caught:
        nearer.evaluate(**asked)
    assert len(caught.value.faults) == len(faults)
    for found, expected in zip(caught.value.faults, faults, strict=True):
        assert found.startswith(expected)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"embeddings": (ONE, TWO)}, "embeddings: two are given, and no index_data"),
        ({"embeddings": ONE, "index_data": OTHER}, "embeddings: one is given, and index_data too"),
        ({"embeddings": [[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]]}, "embeddings: 3 things; give an"),
        ({"embeddings": [1.0, 2.0], "index_data": OTHER}, "embeddings: 2 things"),
        ({"embeddings": (ONE, TWO[:5]), "index_data": OTHER}, "the index has 5 .*list has 6 rows"),
        ({"embeddings": ONE, "truncate_dim": 9}, "truncate_dim is 9, .* has 4 dimensions"),
        ({"embeddings": ONE, "columns": {"embed": "x"}}, '"embed" is none of the names'),
        ({"embeddings": np.full((10, 4), np.nan)}, "10 of 10 .* NaN"),
        ({"embeddings": ONE.astype(np.float64) * 1e300}, "10 of 10 .* infinity"),
    ],
)
def test_embeddings_that_do_not_fit_the_data(asked, says):
    with pytest.raises(UsageError, match=says):
        nearer.evaluate(query_data=ROWS, **asked)


def test_a_beir_folder_has_no_positions(tmp_path):
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "text": "x"}\n')
    with pytest.raises(SpecError, match=r"is a BEIR folder, .* query_data queries\.jsonl"):
        nearer.evaluate(query_data=str(tmp_path), embeddings=ONE)


def test_two_sides_in_memory_and_in_files_give_the_same_figures(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    sides = {"query_data": ROWS, "index_data": OTHER, "limit": 3, "cutoffs": [1]}
    held = nearer.evaluate(embeddings=(ONE, TWO), name="mine", **sides)
    np.save(tmp_path / "one.npy", ONE)
    table = pa.table({"a": pa.array(TWO.tolist()), "b": pa.array(TWO[::-1].tolist())})
    parquet.write_table(table, tmp_path / "two.parquet")
    files = (str(tmp_path / "one.npy"), tmp_path / "two.parquet")
    with pytest.raises(DataError, match='could be in "a", "b"'):
        nearer.evaluate(embeddings=files, **sides)
    read = nearer.evaluate(embeddings=files, columns={"embedding": "a"}, **sides)
    assert {key.replace("mine_", "embeddings_"): v for key, v in held.metrics.items()} == (
        read.metrics
    )
    assert "mine_ndcg@1" in held.metrics
    np.testing.assert_array_equal(held.rows, read.rows)


def test_a_sample_of_given_embeddings(caplog):
    whole = nearer.evaluate(query_data=ROWS, embeddings=ONE, limit=3)
    with caplog.at_level(logging.WARNING, "nearer"):
        part = nearer.evaluate(query_data=ROWS, embeddings=ONE, limit=3, query_sample_size=4)
    from nearer.evaluation.sampling import draw

    for name, values in part.per_query.items():
        np.testing.assert_array_equal(values, whole.per_query[name][draw(10, 4)])
    assert "4 of 10 queries ask" in caplog.text


def test_texts_need_not_be_there():
    rows = [{"id": row["id"], "label": row["label"]} for row in ROWS]
    assert nearer.evaluate(query_data=rows, embeddings=ONE).queries == 10
    with pytest.raises(DataError, match='no column "text" or "image"'):
        nearer.evaluate(model="minilm", query_data=rows)


def test_a_trec_run_of_given_embeddings(tmp_path):
    path = tmp_path / "run.txt"
    nearer.evaluate(query_data=ROWS, embeddings=ONE, limit=2, trec_run=path)
    lines = [line.split() for line in path.read_text().splitlines()]
    assert len(lines) == 20
    assert {line[0] for line in lines} == {row["id"] for row in ROWS}


def test_no_torch_is_imported():
    code = (
        "import sys, numpy as np, nearer\n"
        f"nearer.evaluate(query_data={ROWS!r}, embeddings=np.eye(10), limit=2)\n"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_model_is_scored_as_its_own_embeddings_are(tiny_bert):
    options = {"query_data": ROWS, "index_data": OTHER, "limit": 3, "query_sample_size": 6}
    model = nearer.evaluate(tiny_bert, name="it", memory_budget="8MiB", **options)
    sides = zip((ROWS, OTHER), ("query", "document"), strict=True)
    vectors = [nearer.encode(tiny_bert, [r["text"] for r in rows], side=s) for rows, s in sides]
    given = nearer.evaluate(embeddings=vectors, name="it", **options)
    assert given.metrics == pytest.approx(model.metrics)
    assert given.queries == model.queries == 6


def test_the_door_comes_before_the_model(monkeypatch):
    from nearer.run import use

    monkeypatch.setattr(use, "open_encoder", lambda *args: pytest.fail("a model was loaded"))
    for wrong in ({"limit": 0}, {"query_data": "gone.csv"}, {"distance": "cosin"}):
        with pytest.raises(NearerError):
            nearer.evaluate("minilm", **{"query_data": ROWS, **wrong})
