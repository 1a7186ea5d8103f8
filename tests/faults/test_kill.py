"""A few runs are killed at random moments; kill.py does it for longer."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import environment


@pytest.mark.slow
def test_runs_that_are_killed_end_as_if_they_had_not_been() -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("kill.py")), "--kills", "4", "--seed", "1"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 runs ended as the one that was not killed" in done.stdout
