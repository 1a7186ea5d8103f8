"""`--detach`: a run in a process of its own, which outlives the terminal that it was started from.

The process checks everything as any other run does, and what is wrong is told on the terminal. It
lets go of it once the run has its folder; from then on the log holds whatever the process says.
"""

import json as jsonlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearer.cli.main import guarded
from nearer.errors import NearerError, UsageError
from nearer.importing import process_is_ours, quick_imports
from nearer.run.launch import processes_asked

if TYPE_CHECKING:
    from nearer.callbacks import ProgressBar
    from nearer.run.record import RunFolder


def start(given: dict[str, Any], json: bool) -> int:
    """Start a run in the background, and print its name as soon as it has begun.

    Args:
        given: The options of the run.
        json: Print what `nearer runs show --json` would.

    Returns:
        0, or the exit code of a run that has not begun; it has said why.
    """
    if os.name != "posix":
        raise UsageError("detach: needs Linux or macOS; start the run without it")
    if processes_asked() > 1:
        raise UsageError("detach: the launcher waits for its processes; detach the launcher itself")
    begun, tell = os.pipe()
    # -P: a file of the current folder must not stand for a library; what is imported from there by
    # right is in the path that is handed over.
    with subprocess.Popen(
        [sys.executable, "-P", "-u", "-m", __name__, str(tell)],
        stdin=subprocess.PIPE,
        stdout=2,  # what a library prints before the run has its log
        pass_fds=(tell,),
        start_new_session=True,
    ) as process:
        os.close(tell)
        try:
            assert process.stdin is not None
            handed = jsonlib.dumps({"options": given, "path": sys.path}, default=str)
            with suppress(BrokenPipeError), process.stdin as pipe:  # it may have ended already
                pipe.write(handed.encode())
            with os.fdopen(begun, encoding="utf-8") as said:
                folder = said.read()
            if not folder:
                return _code(process.wait())
        except BaseException:  # Ctrl-C: the run has no name yet, so nobody could stop it
            process.terminate()
            raise
        process.returncode = 0  # not waited for: it goes on without us
    _print(Path(folder), process.pid, json)
    return 0


def _code(returned: int) -> int:
    if returned < 0:
        raise NearerError(f"the run's process was ended by signal {-returned} before it had begun")
    return returned or 1


def _print(folder: Path, pid: int, json: bool) -> None:
    from nearer.run.handle import Run

    run = Run(folder)
    print(jsonlib.dumps(run.result(), ensure_ascii=False) if json else run.name)
    if run.status in ("created", "running"):
        said = f"in the background, process {pid}; see: nearer runs show, logs --follow, stop"
        print(f"run {run.name} of experiment {run.experiment} is {said}", file=sys.stderr)


class Begun:
    """Tells the waiting terminal that the run has begun, and lets go of it.

    Args:
        tell: Number of the pipe on which the terminal waits.
    """

    def __init__(self, tell: int) -> None:
        self._tell = tell
        os.set_inheritable(tell, False)  # the terminal waits for the end of the pipe

    def __call__(self, folder: "RunFolder", bar: "ProgressBar") -> None:
        """Send everything that this process says from here on to the run's log."""
        bar.mute()  # its lines are in the log already
        try:
            log = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError:  # which was warned about
            log = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.close(log)
        self.tell(folder.path)

    def tell(self, folder: Path) -> None:
        """Say where the run is; once."""
        if self._tell >= 0:
            with suppress(BrokenPipeError), os.fdopen(self._tell, "w", encoding="utf-8") as pipe:
                pipe.write(str(folder))
            self._tell = -1


def main() -> int:
    """The process in the background."""
    begun = Begun(int(sys.argv[1]))
    handed = jsonlib.load(sys.stdin)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    sys.path[:] = handed["path"]
    process_is_ours()
    with quick_imports():
        from nearer.run.execute import execute

    # A run that was finished already begins nothing.
    return guarded(lambda: begun.tell(execute(handed["options"], begun).folder))


if __name__ == "__main__":
    sys.exit(main())
