import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pytest

import nearer
from nearer.data.collection import Collection
from nearer.errors import DataError, NearerError, UnknownName, UsageError
from nearer.run.compare import texts_of
from nearer.run.handle import Run
from nearer.run.ranks import FACTS, all_ranks, ranks_file
from nearer.run.record import create
from nearer.run.recorder import content_hashes

FACTS_OF_ALL = {
    "limit": 2,
    "definitions": "trec",
    "index_size": 3,
    "index_fingerprint": "i",
    "metrics": {"ndcg_at_k": "max", "ndcg@10": "max", "r_precision": "max", "misses": "min"},
}


def text_hashes(*texts: str) -> pa.Array:
    column = pa.chunked_array([pa.array(texts, pa.large_string())])
    return content_hashes(Collection(column, column, "text", None, "q"))


def write(
    run: Run, epoch: int, values: dict[str, float], evaluation: str = "toy",
    step: int | None = None, relevant: int = 1, texts: tuple[str, ...] | None = None, **facts: Any,
) -> None:  # fmt: skip
    """Write ranks in which every query finds d1 and d2, and d2 first where its value is high."""
    (run.folder / "ranks").mkdir(exist_ok=True)
    hits = [["d2", "d1"] if value > 0.5 else ["d1", "d2"] for value in values.values()]
    numbers = pa.array(list(values.values()), pa.float64())
    table = pa.table(
        {
            "query": pa.array(list(values), pa.large_string()),
            "hits": pa.array(hits, pa.large_list(pa.large_string())),
            "first_relevant": pa.array([1] * len(values)),
            "content": text_hashes(*(texts or values)),
            "relevant": pa.array([relevant] * len(values)),
            **{name: numbers for name in FACTS_OF_ALL["metrics"]},  # type: ignore[attr-defined]
        }
    )
    said = json.dumps(FACTS_OF_ALL | facts).encode()
    step = 10 * epoch if step is None else step
    path = run.folder / "ranks" / ranks_file(evaluation, epoch, step)
    feather.write_feather(table.replace_schema_metadata({FACTS: said}), str(path))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run of three epochs that kept epoch 2."""
    folder = create(tmp_path, "shoes", "mine", {"model": "m", "train_data": "t.csv"})
    folder.update(status="finished", kept={"epoch": 2, "step": 20}, data={"evaluation toy": {}})
    run = Run(folder.path)
    for epoch in range(4):
        write(run, epoch, {"q1": epoch / 4, "q2": 0.5, "q3": 1 - epoch / 4})
    return run


@pytest.fixture
def other(tmp_path: Path) -> Run:
    """A run that died after its first epoch."""
    return Run(create(tmp_path, "shoes", "other", {}).path)


def test_before_against_what_was_kept(run: Run) -> None:
    found = run.compare()
    assert found.labels == ("epoch 0", "epoch 2")
    assert found.metric == "toy_ndcg_at_k"
    assert (found.won, found.lost, found.tied) == (1, 1, 1)
    assert [c.query for c in found.wins()] == ["q1"]
    assert (found.losses()[0].a, found.losses()[0].b) == (1.0, 0.5)
    assert [(m.id, m.before, m.after) for m in found.losses()[0].moved] == [
        ("d2", 1, 2),
        ("d1", 2, 1),
    ]


def test_points(run: Run) -> None:
    assert run.compare(3, "step10").labels == ("epoch 3", "epoch 1")
    write(run, 3, {"q1": 0.0}, step=25)
    assert len(run.compare(0, 3)) == 3  # the last of the epoch
    found = run.compare("step25", 3)
    assert found.labels == ("epoch 3 step 25", "epoch 3 step 30")
    assert found.left_out == (0, 2)


@pytest.mark.parametrize("point", [7, "step7", "best"])
def test_no_such_point_says_which_there_are(run: Run, point: int | str) -> None:
    with pytest.raises(UnknownName) as caught:
        run.compare(0, point)
    said = f'"{point}"' if isinstance(point, str) else str(point)
    assert f'run "mine" was not evaluated at epoch {said} by "toy"; it was at 0, 1, 2, 3;' in str(
        caught.value
    )
    write(run, 3, {"q1": 0.0}, step=25)
    with pytest.raises(UnknownName, match=r"2 \(step20\), 3 \(step25\), 3 \(step30\)"):
        run.compare(0, point)


def test_metrics(run: Run) -> None:
    assert run.compare(metric="toy_r_precision").metric == "toy_r_precision"
    assert run.compare(metric="ndcg@10").won == 1
    fewer = run.compare(metric="misses")
    assert [c.query for c in fewer.wins()] == ["q3"]  # fewer is better, the metric says
    with pytest.raises(UnknownName) as caught:
        run.compare(metric="ndgc_at_k")
    assert str(caught.value) == (
        'there is no metric "ndgc_at_k" on either side; to compare by there are misses, '
        'ndcg@10, ndcg_at_k, r_precision. Did you mean "ndcg_at_k"?'
    )


def test_evaluations(run: Run) -> None:
    for epoch in (0, 2):
        write(run, epoch, {"x": 0.1 * epoch}, evaluation="a/b é")
    assert run.evaluations == ["toy", "a/b é"]
    assert len(run.compare()) == 3
    assert run.compare(evaluation="a/b é").metric == "a/b é_ndcg_at_k"
    with pytest.raises(UnknownName, match=r'no evaluation "tyo"; it has toy, .*mean "toy"'):
        run.compare(evaluation="tyo")


def test_an_evaluation_that_passed_over_a_point(run: Run) -> None:
    write(run, 0, {"x": 0.1}, evaluation="rare")
    write(run, 3, {"x": 0.2}, evaluation="rare")
    with pytest.raises(UnknownName, match='at epoch "after" by "rare"; it was at 0, 3'):
        run.compare(evaluation="rare")
    assert run.compare(0, 3, evaluation="rare").won == 1


def test_no_ranks(other: Run) -> None:
    with pytest.raises(UsageError, match='run "other" has no ranks: it has no evaluation'):
        other.compare()


def test_two_runs_share_what_they_share(run: Run, other: Run) -> None:
    write(other, 0, {"q9": 1.0, "q3": 1.0, "q1": 0.75})
    found = nearer.compare(run, other)
    assert found.labels == ("mine epoch 2", "other epoch 0")  # the last point of one that died
    assert found.queries.to_pylist() == ["q1", "q3"]
    assert found.left_out == (1, 1)
    assert "left out: 1 queries of mine epoch 2 that the other side does not have" in str(found)
    assert (found.won, found.lost, found.notes) == (2, 0, ())
    assert nearer.compare(run, other, epoch_a=0).won == 1


def test_runs_of_one_name(run: Run, tmp_path: Path) -> None:
    again = Run(create(tmp_path, "hats", "mine", {}).path)
    write(again, 0, {"q1": 0.75})
    assert nearer.compare(run, again).labels == ("shoes/mine epoch 2", "hats/mine epoch 0")


def test_evaluations_of_other_names(run: Run, other: Run) -> None:
    write(other, 0, {"q1": 0.75}, evaluation="e5")
    assert nearer.compare(run, other).metric == "ndcg_at_k"
    write(other, 0, {"q1": 0.75, "q2": 1.0}, evaluation="toy")
    found = nearer.compare(run, other)  # the one that both have is taken before the first
    assert (found.metric, len(found)) == ("toy_ndcg_at_k", 2)


def test_no_query_in_common(run: Run, other: Run) -> None:
    write(other, 0, {"x": 0.75})
    with pytest.raises(DataError, match='3 and 1 queries, such as "q1" and "x"'):
        nearer.compare(run, other)


def test_an_id_that_stands_for_two_queries(run: Run, other: Run) -> None:
    write(other, 0, {"q3": 1.0, "q1": 0.75}, texts=("q3", "quite another"))
    with pytest.raises(DataError) as caught:
        nearer.compare(run, other)
    assert str(caught.value) == (
        '1 of 2 queries have other texts on the two sides, the first: "q1"; an id has to stand '
        "for the same query in both"
    )


def test_other_limits(run: Run, other: Run) -> None:
    write(other, 0, {"q1": 0.75}, limit=1)
    with pytest.raises(UsageError, match=r"of a is taken at limit 2, of b at limit 1; compare by"):
        nearer.compare(run, other)
    found = nearer.compare(run, other, metric="ndcg@10")
    assert found.depth == 1
    assert [(m.id, m.before, m.after) for m in found.wins()[0].moved] == [
        ("d1", 1, None),
        ("d2", None, 1),
    ]
    assert nearer.compare(run, other, metric="r_precision").won == 1


def test_other_definitions(run: Run, other: Run) -> None:
    write(other, 0, {"q1": 0.75}, definitions="docarray")
    with pytest.raises(UsageError, match='by the definitions "trec", of b by "docarray"'):
        nearer.compare(run, other, metric="ndcg@10")


def test_other_data_is_said(run: Run, other: Run) -> None:
    write(other, 0, {"q1": 0.75}, index_fingerprint="x", index_size=4000, relevant=2)
    assert nearer.compare(run, other).notes == (
        "the two searched different indexes (3 and 4,000 documents); what differs may come of that",
        "1 queries have another number of relevant documents on the two sides; the judgments "
        "differ, or the index does",
    )


def test_damaged_ranks_are_named(run: Run) -> None:
    path = all_ranks(run.folder / "ranks")[0].path
    path.write_bytes(b"ARROW1\0\0")
    with pytest.raises(NearerError, match=f"{path.name} cannot be read"):
        run.compare()


def test_ranks_that_say_nothing_of_themselves(run: Run) -> None:
    for ranks in all_ranks(run.folder / "ranks"):
        table = ranks.read().drop_columns(["content", "relevant"])
        feather.write_feather(table.replace_schema_metadata(None), str(ranks.path))
    found = run.compare()
    assert (found.won, found.depth) == (1, 2)
    with pytest.raises(UnknownName):
        run.compare(metric="misses")


def test_pictures_have_no_content_to_compare() -> None:
    paths = pa.chunked_array([pa.array(["/a.png", "/b.png"], pa.large_string())])
    assert content_hashes(Collection(paths, paths, "image", None, "q")).null_count == 2


def test_texts_are_ids_where_the_data_is_gone(run: Run) -> None:
    texts = texts_of(run, run)
    assert not texts
    assert texts.queries(["q1"]) == ["q1"]
    assert texts.documents(["d1", "d2"]) == ["d1", "d2"]
    assert texts.relevant("q1", ["d1"]) is None


@pytest.mark.parametrize("name", ["a", "a.b", "a-b", "a/b", "é", "a.epoch001.step2", "..", "a b"])
def test_the_name_of_a_file_can_be_read_back(name: str, tmp_path: Path) -> None:
    (tmp_path / ranks_file(name, 12, 345)).write_text("")
    (found,) = all_ranks(tmp_path)
    assert (found.evaluation, found.epoch, found.step) == (name, 12, 345)
