"""What is said of a process that does not answer any more."""

import os
import socket
import subprocess
import sys

import pytest

from nearer.loop import lost
from nearer.loop.lost import Member, lives, who_was_lost

HERE = socket.gethostname()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(lost, "PAUSE", 0.0)


def ended():
    """The number of a process that has been waited for."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def test_one_that_is_gone_from_this_machine_is_named():
    members = [Member(HERE, os.getpid()), Member(HERE, ended()), Member("elsewhere", 1)]
    said = who_was_lost(0, members, RuntimeError("Connection closed by peer"))
    assert said == f"process 1 of 3 (pid {members[1].pid} on {HERE}) has died"


def test_what_it_left_word_of_comes_first(monkeypatch):
    monkeypatch.setattr(lost, "_word_of", lambda rank: "DataError: no file" if rank == 2 else None)
    members = [Member(HERE, os.getpid()), Member(HERE, ended()), Member("elsewhere", 1)]
    said = who_was_lost(0, members, RuntimeError("x"))
    assert said == "process 2 of 3 failed: DataError: no file"


@pytest.mark.parametrize("message", ["Timed out\nwith more", ""])
def test_one_that_is_elsewhere_is_not_guessed_at(message):
    members = [Member(HERE, os.getpid()), Member("elsewhere", 1)]
    said = who_was_lost(0, members, RuntimeError(message))
    assert said.startswith("another of the 2 processes died or does not answer (")
    assert "more)" not in said.replace("says more", "")


def test_a_process_that_ended_but_was_not_waited_for_does_not_live():
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not lives(process.pid)
    process.wait()
    assert not lives(process.pid)
    assert lives(os.getpid())
