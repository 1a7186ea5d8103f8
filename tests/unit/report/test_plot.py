import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearer.report.plot import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Plot, Series, nice_ticks

FINITE = st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6)


@given(FINITE, FINITE)
def test_ticks_enclose_and_are_few(one: float, other: float) -> None:
    low, high = sorted((one, other))
    ticks = nice_ticks(low, high)
    room = 1e-6 * max(abs(low), abs(high), 1e-6)
    assert ticks[0] <= low + room
    assert ticks[-1] >= high - room
    assert 2 <= len(ticks) <= 12
    assert list(ticks) == sorted(set(ticks))


@given(st.lists(st.tuples(st.integers(0, 10_000), FINITE), min_size=1, unique_by=lambda p: p[0]))
def test_every_point_lies_in_the_picture(points: list[tuple[int, float]]) -> None:
    series = Series("loss", tuple((step, 1, value) for step, value in sorted(points)))
    plot = Plot("loss", (series,), stop=series.points[-1][0])
    for pair in plot.line(series).split():
        x, y = map(float, pair.split(","))
        assert LEFT <= x <= WIDTH - RIGHT
        assert TOP - 0.1 <= y <= HEIGHT - BOTTOM + 0.1
        assert math.isfinite(x + y)


def test_labels_of_ticks_have_equal_decimals() -> None:
    plot = Plot("m", (Series("m", ((0, 0, 0.605), (40, 1, 0.66))),))
    assert [plot.label(tick) for tick in plot.ticks] == ["0.60", "0.62", "0.64", "0.66"]


def test_the_description_says_best_and_stop() -> None:
    plot = Plot("m", (Series("m", ((0, 0, 0.5), (40, 1, 0.75), (80, 2, 0.25))),), 40, 80)
    assert plot.description == (
        "m: 3 points, 0.5 at epoch 0 (step 0), 0.25 at epoch 2 (step 80); lowest 0.25, "
        "highest 0.75. The model that is kept is that of step 40. The fit was stopped early at "
        "step 80."
    )


@pytest.mark.parametrize(("count", "dots"), [(60, 60), (61, 1)])
def test_of_many_points_only_the_kept_one_is_a_dot(count: int, dots: int) -> None:
    series = Series("m", tuple((i, i, 0.1) for i in range(count)))
    assert len(Plot("m", (series,), best=7).dots(series)) == dots


def test_labels_of_many_epochs_are_thinned() -> None:
    series = Series("m", tuple((10 * i, i, 0.1 * i) for i in range(101)))
    assert [epoch for epoch, _ in Plot("m", (series,)).epochs] == list(range(0, 101, 13))
