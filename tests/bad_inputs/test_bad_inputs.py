"""Every case of cases.toml: the exact text, before anything is loaded, nothing left on disk.

The texts are meant to be read and reviewed. After a change of a message, `python
tests/bad_inputs/rewrite.py` writes them anew; what it changed is for review.
"""

from collections import Counter
from pathlib import Path

import pytest
from support.bad_inputs import WAYS, Case, play, read_cases

CASES = read_cases()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "case", [case for _, case in CASES], ids=[f"{heading}: {case.name}" for heading, case in CASES]
)
def test_the_text_is_exact(
    case: Case, tmp_path: Path, tiny_bert: Path, toy_files: dict[str, str]
) -> None:
    said = play(case, tmp_path, tiny_bert, toy_files)
    assert said.says == case.says
    assert said.code == case.code
    assert said.error == case.error
    assert said.out == ""
    assert said.left == ()


def test_the_table_is_one() -> None:
    names = Counter(f"{heading}: {case.name}" for heading, case in CASES)
    assert not [name for name, count in names.items() if count > 1]
    assert len(CASES) >= 80
    for _, case in CASES:
        ways = [way for way in WAYS if getattr(case, way) is not None]
        assert len(ways) == 1 or ways == ["fit", "spec"], case.name
