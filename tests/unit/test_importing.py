import gc
import subprocess
import sys
import types
from collections.abc import Iterator

import pytest

from nearer import importing
from nearer.importing import MANY, quick_imports


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    was = gc.isenabled()
    gc.unfreeze()
    yield
    (gc.enable if was else gc.disable)()
    gc.unfreeze()


def bring_modules(count: int, monkeypatch: pytest.MonkeyPatch) -> list[types.ModuleType]:
    came = [types.ModuleType(f"made_for_a_test_{number}") for number in range(count)]
    for module in came:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return came


def are_frozen(modules: list[types.ModuleType]) -> bool:
    """Ask for each by itself: other threads of the suite's process free what is frozen, too."""
    looked_at = {id(each) for each in gc.get_objects()}
    frozen = {id(each) not in looked_at for each in modules}
    assert len(frozen) == 1, "some are frozen and some are not"
    return frozen.pop()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_meanwhile_and_is_left_as_it_was(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled() is enabled
    with pytest.raises(ImportError), quick_imports():
        raise ImportError
    assert gc.isenabled() is enabled


@pytest.mark.parametrize(
    ("ours", "count", "frozen"), [(False, MANY, False), (True, MANY, True), (True, 5, False)]
)
def test_what_came_is_frozen_in_a_process_of_ours_alone(
    ours: bool, count: int, frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_own_process", ours)
    with quick_imports():
        came = bring_modules(count, monkeypatch)
    assert are_frozen(came) is frozen


def test_what_somebody_has_frozen_stays_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = [types.ModuleType("frozen_by_somebody")]
    gc.freeze()
    with quick_imports():
        came = bring_modules(MANY, monkeypatch)
    assert are_frozen(theirs)
    assert not are_frozen(came)


def test_a_command_is_a_process_of_its_own_and_a_script_is_not() -> None:
    says = "import gc; print(bool(gc.get_freeze_count()), gc.isenabled())"
    script = f"import nearer; nearer.fit; nearer.EvaluationCallback; {says}"
    command = (
        "import sys, atexit, gc\n"
        "sys.argv = ['nearer', 'encode', 'nowhere', 'x', '--output', 'y.npy']\n"
        "atexit.register(lambda: print(bool(gc.get_freeze_count()), gc.isenabled()))\n"
        "from nearer.cli.main import main; main()"
    )
    for code, expected in ((script, "False True\n"), (command, "True True\n")):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert done.stdout == expected, done.stderr
