"""One process at a time on a run: who holds it, who is refused, and what a dead owner leaves."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from nearer.errors import RunExists
from nearer.run import lock


def owned(folder: Path, **owner: Any) -> Path:
    """A lock that somebody else left; this process unless said otherwise."""
    path = folder / lock.FILENAME
    path.write_text(json.dumps({**lock.process(), **owner}) + "\n")
    return path


def gone() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_taking_and_giving_back(tmp_path: Path) -> None:
    lock.take(tmp_path)
    assert lock.read(tmp_path) == lock.process()
    assert os.listdir(tmp_path) == [lock.FILENAME]
    lock.release(tmp_path)
    assert os.listdir(tmp_path) == []
    lock.take(tmp_path)
    lock.release(tmp_path)
    lock.release(tmp_path)


def test_a_second_fit_in_the_same_process_is_refused(tmp_path: Path) -> None:
    lock.take(tmp_path)
    refused: list[str] = []

    def again() -> None:
        try:
            lock.take(tmp_path)
        except RunExists as error:
            refused.append(str(error))

    thread = threading.Thread(target=again)
    thread.start()
    thread.join()
    assert refused == [
        f'run "{tmp_path.name}" is being worked on by process {os.getpid()} on '
        f"{socket.gethostname()}; wait for it, or end that process first"
    ]
    lock.release(tmp_path)


def test_an_owner_that_lives_is_named(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        path = owned(tmp_path, pid=other.pid, started=lock._started(other.pid))
        before = path.read_text()
        with pytest.raises(RunExists, match=f"by process {other.pid} on {socket.gethostname()}; "):
            lock.take(tmp_path)
        assert path.read_text() == before
        lock.release(tmp_path)  # not ours to give back
        assert path.read_text() == before
    finally:
        other.communicate(b"\n")


@pytest.mark.parametrize(
    "owner", [{"pid": "gone"}, {"started": "1"}, {"pid": None}, {"pid": 2**70}, {}], ids=str
)
def test_an_owner_that_is_gone_is_followed(owner: dict[str, Any], tmp_path: Path) -> None:
    """Its number may be another process's by now; an own one that nothing holds is left over."""
    owned(tmp_path, **{k: gone() if v == "gone" else v for k, v in owner.items()})
    lock.take(tmp_path)
    assert lock.read(tmp_path) == lock.process()
    lock.release(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "\0", "3"])
def test_a_lock_that_names_nobody_is_taken_over(text: str, tmp_path: Path) -> None:
    (tmp_path / lock.FILENAME).write_text(text)
    lock.take(tmp_path)
    assert lock.read(tmp_path) == lock.process()
    lock.release(tmp_path)


def test_an_owner_on_another_host_is_believed_and_the_way_out_is_named(tmp_path: Path) -> None:
    path = owned(tmp_path, host="node-7", pid=12)
    with pytest.raises(RunExists) as caught:
        lock.take(tmp_path)
    assert str(caught.value) == (
        f'run "{tmp_path.name}" is being worked on by process 12 on node-7; '
        f"wait for it; if it is gone, remove {path} and try again"
    )
    path.unlink()
    lock.take(tmp_path)
    lock.release(tmp_path)


def test_of_many_that_find_a_dead_owner_one_gets_the_lock(tmp_path: Path) -> None:
    owned(tmp_path, pid=gone())
    code = (
        "import sys; from pathlib import Path; from nearer.run import lock\n"
        "sys.stdin.readline()\n"
        "try:\n    lock.take(Path(sys.argv[1])); print('mine', flush=True)\n"
        "except Exception as error:\n    print(type(error).__name__, flush=True)\n"
        "sys.stdin.readline()\n"
    )
    many = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for one in many:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = sorted(one.stdout.readline().strip() for one in many if one.stdout)
    for one in many:
        one.communicate("end\n")
    assert said == ["RunExists", "RunExists", "RunExists", "mine"]


def test_a_fork_holds_nothing_of_its_parent(tmp_path: Path) -> None:
    lock.take(tmp_path)
    pid = os.fork()
    if pid == 0:
        lock.release(tmp_path)
        os._exit(0)
    os.waitpid(pid, 0)
    assert lock.read(tmp_path) == lock.process()
    lock.release(tmp_path)


def test_who_works(tmp_path: Path) -> None:
    mine = lock.process()
    assert not lock.works(mine, tmp_path)  # it has ended: no lock
    owned(tmp_path)
    assert lock.works(mine, tmp_path)
    assert not lock.works({**mine, "pid": gone()}, tmp_path)
    assert lock.works({**mine, "host": "node-7"}, tmp_path)
    (tmp_path / lock.FILENAME).unlink()
    assert not lock.works({**mine, "host": "node-7"}, tmp_path)
