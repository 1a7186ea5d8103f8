"""What holds of the rule for any values."""

from math import inf, isfinite, nan

from hypothesis import given, settings
from hypothesis import strategies as st

from nearer.callbacks.monitor import Monitor, Rule, decide

# Few different values, so that equal ones are common; all exact in binary.
SMALL = st.integers(-8, 8).map(lambda n: n / 4)
ANY = st.one_of(SMALL, st.sampled_from([nan, inf, -inf]), st.floats(-1e6, 1e6))
OPTIONS = st.fixed_dictionaries(
    {
        "patience": st.integers(1, 4),
        "min_delta": st.sampled_from([0.0, 0.25, 1.0]),
        "baseline": st.none() | SMALL,
        "threshold": st.none() | SMALL,
        "start_from_epoch": st.integers(0, 4),
        "check_finite": st.booleans(),
    }
)


def minus(value):
    return None if value is None else -value


@settings(max_examples=100, deadline=None)
@given(st.lists(ANY, max_size=12), OPTIONS)
def test_max_of_values_is_min_of_their_negatives(values, options):
    mirrored = options | {n: minus(options[n]) for n in ("baseline", "threshold")}
    assert decide(values, Rule("max", **options)) == decide(
        [-v for v in values], Rule("min", **mirrored)
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(ANY, max_size=12), OPTIONS)
def test_the_best_is_the_earliest_of_the_largest_finite_values_seen(values, options):
    stop, best = decide(values, Rule("max", **options))
    seen = values if stop is None else values[: stop + 1]
    finite = [v for v in seen if isfinite(v)]
    assert best == (seen.index(max(finite)) if finite else None)


@settings(max_examples=100, deadline=None)
@given(st.lists(SMALL, max_size=12), OPTIONS)
def test_patience_never_ends_a_fit_before_so_many_points_after_epoch_0(values, options):
    rule = Rule("max", **options | {"threshold": None})
    stop, _ = decide(values, rule)
    first = max(rule.patience, rule.start_from_epoch)
    assert stop is None or stop >= first


@settings(max_examples=100, deadline=None)
@given(st.lists(SMALL, max_size=8), st.sampled_from([nan, inf, -inf]), OPTIONS)
def test_what_is_not_finite_never_improves(values, odd, options):
    monitor = Monitor(Rule("max", **options))
    for epoch, value in enumerate(values):
        monitor.observe(value, epoch)
    before = monitor.best, monitor.best_epoch, monitor.mark
    assert not monitor.observe(odd, len(values)).best
    assert (monitor.best, monitor.best_epoch, monitor.mark) == before


@settings(max_examples=100, deadline=None)
@given(st.lists(ANY, max_size=12), st.sampled_from(["max", "min"]))
def test_without_min_delta_the_mark_is_the_best(values, direction):
    monitor = Monitor(Rule(direction, patience=3, check_finite=False))
    for epoch, value in enumerate(values):
        monitor.observe(value, epoch)
        assert monitor.mark == monitor.best


@settings(max_examples=100, deadline=None)
@given(st.lists(ANY, max_size=12), OPTIONS)
def test_a_state_taken_anywhere_leads_to_the_same_end(values, options):
    rule = Rule("max", **options)
    whole = Monitor(rule)
    for epoch, value in enumerate(values):
        again = Monitor(rule, **whole.state_dict())
        assert again.observe(value, epoch) == whole.observe(value, epoch)
