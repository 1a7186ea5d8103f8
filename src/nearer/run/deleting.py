"""Deleting a run. What asks whether that is meant is the command line's affair."""

from nearer.errors import NearerError
from nearer.run import lock
from nearer.run.handle import Run
from nearer.run.record import RunFolder


def delete_run(run: Run) -> None:
    """Delete a run's folder with all that is in it, and that of its experiment if it is then empty.

    Raises:
        RunExists: It is still running, or another process is at work on it.
        NearerError: Something of it could not be deleted.
    """
    lock.take(run.folder)  # nobody resumes it in the meantime
    try:
        RunFolder(run.folder).remove()
    finally:
        lock.release(run.folder)
    if run.folder.exists():
        raise NearerError(f"{run.folder} could not be deleted as a whole; see what is left in it")
