"""Comparisons against brute force; the bootstrap against scipy's and against its own promise."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nearer.errors import DataError, UsageError
from nearer.evaluation import bootstrap
from nearer.evaluation.bootstrap import bootstrap_mean
from nearer.evaluation.comparing import compare_ranks
from nearer.evaluation.comparison import TIE, Comparison
from nearer.evaluation.moves import moved

DOCUMENTS = [f"d{i}" for i in range(8)]
SIDE = st.dictionaries(
    st.sampled_from([f"q{i}" for i in range(12)]),
    st.tuples(
        st.sampled_from([0.0, 0.25, 0.25 + 1e-12, 0.5, 1.0]),
        st.permutations(DOCUMENTS).flatmap(lambda p: st.integers(0, 6).map(lambda n: p[:n])),
    ),
    min_size=1,
)


def table(side: dict[str, tuple[float, list[str]]]) -> pa.Table:
    return pa.table(
        {
            "query": pa.array(list(side), pa.large_string()),
            "hits": pa.array([hits for _, hits in side.values()], pa.large_list(pa.large_string())),
            "m": pa.array([value for value, _ in side.values()], pa.float64()),
        }
    )


def compare(a: dict, b: dict, **options: object) -> Comparison:
    return compare_ranks(table(a), table(b), "m", 5, **{"resamples": 50, **options})


@given(a=SIDE, b=SIDE, direction=st.sampled_from(["max", "min"]))
def test_a_comparison_is_what_brute_force_says(a: dict, b: dict, direction: str) -> None:
    shared = [query for query in a if query in b]
    if not shared:
        with pytest.raises(DataError, match="no query in common"):
            compare(a, b)
        return
    found = compare(a, b, direction=direction)
    assert found.queries.to_pylist() == shared
    assert found.left_out == (len(a) - len(shared), len(b) - len(shared))
    assert found.a == pytest.approx(np.mean([a[q][0] for q in shared]))
    assert found.b == pytest.approx(np.mean([b[q][0] for q in shared]))
    assert found.difference == pytest.approx(found.b - found.a, abs=TIE)
    sign = 1 if direction == "max" else -1
    gains = {q: sign * (b[q][0] - a[q][0]) for q in shared}
    won = {q for q, gain in gains.items() if gain > TIE}
    lost = {q for q, gain in gains.items() if gain < -TIE}
    assert {c.query for c in found.wins()} == won
    assert {c.query for c in found.losses()} == lost
    assert (found.won, found.lost) == (len(won), len(lost))
    assert found.won + found.lost + found.tied == len(found) == len(shared)
    for changes in (found.wins(), found.losses()):
        sizes = [abs(gains[c.query]) for c in changes]
        assert sizes == sorted(sizes, reverse=True)
    assert [c.query for c in found.wins(2)] == [c.query for c in found.wins()][:2]
    for change in [*found.wins(), *found.losses()]:
        assert (change.a, change.b) == (a[change.query][0], b[change.query][0])
        old, new = a[change.query][1][:5], b[change.query][1][:5]
        rank = [{d: hits.index(d) + 1 for d in hits} for hits in (old, new)]
        expected = {
            (d, rank[0].get(d), rank[1].get(d))
            for d in {*old, *new}
            if rank[0].get(d) != rank[1].get(d)
        }
        assert {(m.id, m.before, m.after) for m in change.moved} == expected
        assert len(change.moved) == len(expected)
        sizes = [abs(m.change) for m in change.moved]
        assert sizes == sorted(sizes, reverse=True)


@given(a=SIDE, b=SIDE)
def test_turning_the_sides_turns_the_result(a: dict, b: dict) -> None:
    if not a.keys() & b.keys():
        return
    one, other = compare(a, b), compare(b, a)
    assert (one.won, one.lost, one.tied) == (other.lost, other.won, other.tied)
    assert one.difference == pytest.approx(-other.difference)
    assert one.left_out == other.left_out[::-1]


@given(side=SIDE)
def test_a_side_against_itself(side: dict) -> None:
    found = compare(side, side)
    assert (found.won, found.lost, found.tied) == (0, 0, len(side))
    assert (found.interval.low, found.interval.high) == (0, 0)
    assert not found.conclusive
    assert found.sentences()[-1].startswith("no difference that these queries can show")


@given(values=st.lists(st.sampled_from([0.0, 0.1, -0.3, 0.5]), min_size=1, max_size=60))
def test_an_interval_is_ordered_finite_and_within_the_values(values: list[float]) -> None:
    found = bootstrap_mean(np.array(values), resamples=200)
    assert min(values) - 1e-12 <= found.low <= found.high <= max(values) + 1e-12
    assert found == bootstrap_mean(np.array(values), resamples=200)


@pytest.mark.parametrize("n", [2, 30, 500])
def test_the_interval_is_scipys(n: int) -> None:
    random = np.random.default_rng(n)
    a, b = random.random(n), random.random(n) ** 2
    theirs = stats.bootstrap(
        (a, b),
        lambda x, y, axis: (y - x).mean(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    ours = bootstrap_mean(b - a, resamples=20_000)
    spread = (b - a).std() / np.sqrt(n)
    assert ours.low == pytest.approx(theirs.low, abs=0.06 * spread)
    assert ours.high == pytest.approx(theirs.high, abs=0.06 * spread)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(400):
        # Mostly ties and a few large differences, as rankings have them; the mean is 0.05.
        values = random.choice([0.0, 0.5, -0.25], size=300, p=[0.7, 0.5 / 3, 0.4 / 3])
        found = bootstrap_mean(values, resamples=400, seed=trial)
        covered += found.low <= 0.05 <= found.high
    assert 0.91 <= covered / 400 <= 0.98


@pytest.mark.parametrize("n", [2, 7, 100])
@pytest.mark.parametrize("cells", [1, 7, 100, 5000])
def test_blocks_bound_memory_and_change_nothing_but_the_draw(n: int, cells: int) -> None:
    values = np.random.default_rng(n).random(n)
    with pytest.MonkeyPatch.context() as patch:
        whole = bootstrap_mean(values, resamples=100)
        patch.setattr(bootstrap, "CELLS", cells)
        parts = bootstrap_mean(values, resamples=100)
    spread = values.std() / np.sqrt(n)
    assert parts.low == pytest.approx(whole.low, abs=spread)
    assert parts.high == pytest.approx(whole.high, abs=spread)
    if cells >= n:  # whole draws at a time: the same numbers in the same order
        assert parts == whole


def test_a_single_query() -> None:
    found = compare({"q": (0.25, ["d1"])}, {"q": (1.0, ["d2"])})
    assert (found.interval.low, found.interval.high) == (0.75, 0.75)
    assert found.conclusive
    assert len(found) == found.won == 1


def test_what_is_no_number_is_refused_and_named() -> None:
    with pytest.raises(DataError, match='"m" is not a number for 1 queries, the first: "q2"'):
        compare({"q1": (0, []), "q2": (0, [])}, {"q2": (np.nan, []), "q1": (0, [])})


@pytest.mark.parametrize("options", [{"resamples": 0}, {"confidence": 1.0}, {"confidence": 0}])
def test_impossible_bootstraps(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="resamples is at least 1 and confidence between"):
        bootstrap_mean(np.ones(3), **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no queries"):
        bootstrap_mean(np.ones(0))


def test_documents_near_the_top_come_first() -> None:
    before = [f"d{i}" for i in range(20)]
    after = ["d1", "d0", *before[2:18], "d19", "new"]
    assert [(m.id, m.before, m.after) for m in moved(before, after, 20)] == [
        ("d0", 1, 2),
        ("d1", 2, 1),
        ("d18", 19, None),
        ("new", None, 20),
        ("d19", 20, 19),
    ]


def test_how_it_reads() -> None:
    a = {f"q{i}": (0.5, ["d1", "d2"]) for i in range(3)} | {"gone": (0.0, [])}
    b = {"q0": (1.0, ["d2", "d1"]), "q1": (0.25, ["d2"]), "q2": (0.5, ["d1"])}
    found = compare(a, b, notes=("a note",), labels=("epoch 0", "epoch 3"), resamples=10_000)
    header, row, *said = str(found).splitlines()
    assert header.split("  ") == ["metric", "epoch 0", "epoch 3", "difference", "95 % interval"]
    assert row.split()[:4] == ["m", "0.50000", "0.58333", "+0.08333"]
    assert said == [
        "won 1, lost 1, tied 1 of 3 queries",
        "left out: 1 queries of epoch 0 that the other side does not have",
        "a note",
        "no difference that these queries can show: the interval includes 0",
    ]
    assert repr(found) == (
        "Comparison(m: epoch 0 0.50000, epoch 3 0.58333; won 1, lost 1, tied 1 of 3 queries)"
    )
    assert found.to_dict(1)["wins"] == [
        {
            "query": "q0",
            "a": 0.5,
            "b": 1.0,
            "moved": [
                {"id": "d1", "before": 1, "after": 2},
                {"id": "d2", "before": 2, "after": 1},
            ],
        }
    ]
