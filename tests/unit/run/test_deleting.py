from pathlib import Path

import pytest

from nearer.errors import RunExists
from nearer.run.deleting import delete_run
from nearer.run.handle import Run
from nearer.run.lock import release
from nearer.run.record import create


def test_T45_one_is_deleted_and_no_other(tmp_path: Path) -> None:
    runs = [create(tmp_path, experiment, "same", {}).path for experiment in ("a", "b")]
    release(runs[0])
    delete_run(Run(runs[0]))
    assert not (tmp_path / "a").exists()
    assert (runs[1] / "run.json").is_file()


def test_one_that_is_at_work_is_refused(tmp_path: Path) -> None:
    folder = create(tmp_path, "a", "mine", {}).path
    with pytest.raises(RunExists):
        delete_run(Run(folder))
    assert (folder / "run.json").is_file()
