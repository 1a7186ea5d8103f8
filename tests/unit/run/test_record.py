import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nearer.errors import NearerError, RunExists, RunNotFound, UsageError
from nearer.run import record as record_module
from nearer.run.handle import Run
from nearer.run.lock import process
from nearer.run.names import FIRST, SECOND, draw_name
from nearer.run.record import RunFolder, all_runs, create, environment, find, now


def test_creating_writes_the_record_first(tmp_path: Path) -> None:
    folder = create(tmp_path / "runs", "shoes", "mine", {"model": "minilm"})
    assert folder.path == tmp_path / "runs" / "shoes" / "mine"
    assert sorted(os.listdir(folder.path)) == ["lock", "run.json"]
    values = folder.read()
    assert values["status"] == "created"
    assert values["spec"] == {"model": "minilm"}
    assert (values["name"], values["experiment"]) == ("mine", "shoes")
    assert values["stop_reason"] is None
    assert values["environment"]["versions"]["torch"]
    folder.update(status="finished", seconds=1.5)
    assert folder.read() == {**values, "status": "finished", "seconds": 1.5}


def test_a_taken_name_is_only_taken_in_its_experiment(tmp_path: Path) -> None:
    create(tmp_path, "a", "mine", {})
    create(tmp_path, "b", "mine", {})
    with pytest.raises(RunExists, match='run "mine" exists in experiment "a"'):
        create(tmp_path, "a", "mine", {})


@pytest.mark.parametrize("where", ["runs", "runs/a"])
def test_a_file_in_the_way_is_no_taken_name(where: str, tmp_path: Path) -> None:
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_text("")
    with pytest.raises(UsageError, match="cannot write to ") as caught:
        create(tmp_path / "runs", "a", "mine", {})
    assert not isinstance(caught.value, RunExists)


def test_removing_takes_an_empty_experiment_along(tmp_path: Path) -> None:
    first, second = create(tmp_path, "a", "one", {}), create(tmp_path, "a", "two", {})
    first.remove()
    assert second.read()["status"] == "created"
    second.remove()
    assert os.listdir(tmp_path) == []


def test_finding(tmp_path: Path) -> None:
    for experiment, name in (("b", "same"), ("a", "same"), ("a", "keen-otter")):
        create(tmp_path, experiment, name, {})
    (tmp_path / "a" / "no-run").mkdir()
    assert [f"{f.path.parent.name}/{f.path.name}" for f in all_runs(tmp_path)] == [
        "a/keen-otter",
        "a/same",
        "b/same",
    ]
    assert find(tmp_path, "keen-otter").path == tmp_path / "a" / "keen-otter"
    assert find(tmp_path, "same", "b").path == tmp_path / "b" / "same"
    with pytest.raises(RunNotFound) as caught:
        find(tmp_path, "same")
    assert str(caught.value) == '"same" is a run of several experiments: a, b; say which'
    with pytest.raises(RunNotFound) as caught:
        find(tmp_path, "keen-oter")
    assert str(caught.value) == f'no run "keen-oter" in {tmp_path}. Did you mean "keen-otter"?'
    with pytest.raises(RunNotFound) as caught:
        find(tmp_path, "keen-otter", "b")
    assert str(caught.value) == f'no run "keen-otter" in experiment "b" of {tmp_path}.'
    with pytest.raises(RunNotFound):
        find(tmp_path / "nowhere", "same")


def started(tmp_path: Path, **owner: Any) -> str:
    """Status that a run shows whose process is described by `owner`."""
    folder = create(tmp_path, "a", "mine", {})
    folder.update(status="running", process={**process(), **owner})
    status: str = folder.read()["status"]
    return status


def test_a_run_of_this_process_is_running(tmp_path: Path) -> None:
    assert started(tmp_path) == "running"


def test_a_run_whose_process_is_gone_is_dead(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert started(tmp_path, pid=gone.pid) == "dead"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_run_whose_number_another_process_has_now_is_dead(tmp_path: Path) -> None:
    assert started(tmp_path, started="1") == "dead"


def test_a_run_on_another_host_is_believed_to_run(tmp_path: Path) -> None:
    assert started(tmp_path, host=socket.gethostname() + "x", pid=1) == "running"


def test_a_run_on_another_host_whose_lock_was_taken_away_is_dead(tmp_path: Path) -> None:
    folder = create(tmp_path, "a", "mine", {})
    folder.update(status="running", process={"host": "node-7", "pid": 1})
    assert folder.read()["status"] == "running"
    (folder.path / "lock").unlink()
    assert folder.read()["status"] == "dead"


def test_a_process_of_somebody_else_is_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(record_module.os, "kill", refuse)
    assert started(tmp_path) == "running"


def test_a_record_without_a_process_is_dead(tmp_path: Path) -> None:
    assert started(tmp_path, pid=None) == "dead"


@pytest.mark.parametrize("status", ["finished", "failed", "interrupted"])
def test_what_has_ended_does_not_die(status: str, tmp_path: Path) -> None:
    folder = create(tmp_path, "a", "mine", {})
    folder.update(status=status, process={"host": socket.gethostname(), "pid": -5})
    assert folder.read()["status"] == status


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", "\0"])
def test_a_record_that_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(NearerError, match=r"run\.json"):
        RunFolder(tmp_path).read()


def test_no_record(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="no run in "):
        RunFolder(tmp_path).read()


def test_a_handle_on_a_run_that_has_just_begun(tmp_path: Path) -> None:
    run = Run(create(tmp_path, "shoes", "mine", {}).path)
    assert repr(run) == "Run('mine', experiment='shoes', status='created')"
    assert (run.history, run.logs(), run.stop_reason, run.best_epoch) == ([], "", None, None)
    assert run.metrics() == {"before": {}, "after": {}}
    assert run.result()["artifact"] is None
    with pytest.raises(NearerError, match='run "mine" has no artifact: it is created'):
        _ = run.artifact


def test_a_last_line_without_its_end_is_not_read(tmp_path: Path) -> None:
    folder = create(tmp_path, "shoes", "mine", {})
    line = json.dumps({"epoch": 0, "step": 0, "metrics": {}})
    folder.metrics.write_text(f'{line}\n{{"epoch": 1, "st')
    assert Run(folder.path).history == [json.loads(line)]


def test_names_are_drawn_from_words() -> None:
    for _ in range(50):
        first, second = draw_name().split("-")
        assert first in FIRST
        assert second in SECOND
    assert len(FIRST) == len(set(FIRST))


def test_drawing_a_name_leaves_the_seeded_randomness_alone() -> None:
    import random

    random.seed(3)
    expected = random.Random(3).random()
    draw_name()
    assert random.random() == expected


def test_facts() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", now())
    assert environment()["python"].startswith("3.")
    assert process()["pid"] == os.getpid()
