"""Each parser reads some thousand inputs that nobody meant, and refuses them with a NearerError.

The mutator is seeded, so a failure comes again; its note holds the input. `fuzz_*.py` beside this
file let atheris look for new paths through the code (docs/reliability.md).
"""

from pathlib import Path

import pytest
from support.fuzzing import Harness
from support.parsers import HARNESSES

RUNS = dict.fromkeys("csv tsv jsonl json parquet arrow picture".split(), 800)


@pytest.mark.filterwarnings("ignore")  # numpy and Pillow warn about what they then refuse
@pytest.mark.parametrize("harness", HARNESSES.values(), ids=lambda h: h.name)
def test_only_our_own_errors_come_out(harness: Harness) -> None:
    taken, refused = harness.run(RUNS.get(harness.name, 2000), seed=7)
    assert taken
    assert refused


def test_every_parser_has_its_script() -> None:
    there = {path.stem.removeprefix("fuzz_") for path in Path(__file__).parent.glob("fuzz_*.py")}
    assert there == set(HARNESSES)
