"""A memory budget as a user writes it."""

import pytest

from nearer.errors import UsageError
from nearer.evaluation.budget import LEAST, memory_bytes
from nearer.evaluation.search import MEMORY_BUDGET


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("1GiB", 1 << 30),
        ("512MB", 512_000_000),
        ("2g", 2 << 30),
        ("1.5 GB", 1_500_000_000),
        (" 64 mib ", 64 << 20),
        ("1tb", 10**12),
        ("1048576", 1 << 20),
        (1 << 20, LEAST),
    ],
)
def test_sizes(written, size):
    assert memory_bytes(written) == size


@pytest.mark.parametrize("wrong", ["", "GiB", "much", "1 XB", "-1GiB", "1,5GiB", True, [1], None])
def test_what_is_no_size_says_how_to_write_one(wrong):
    with pytest.raises(UsageError, match=r'memory_budget is .*like "512MiB"'):
        memory_bytes(wrong)


@pytest.mark.parametrize("slip", [20, "20", "0", "512kB", LEAST - 1])
def test_too_little_to_search_in_is_a_slip_of_the_pen(slip):
    with pytest.raises(UsageError, match=r"at least 1\.0 MiB"):
        memory_bytes(slip)


def test_the_default_of_every_option_is_that_of_the_search():
    import inspect

    import nearer
    from nearer.run.spec import RunSpec

    defaults = {RunSpec.model_fields["memory_budget"].default}
    for taker in (nearer.EvaluationCallback, nearer.evaluate, nearer.fit):
        defaults.add(inspect.signature(taker).parameters["memory_budget"].default)
    (default,) = defaults
    assert memory_bytes(default) == MEMORY_BUDGET
