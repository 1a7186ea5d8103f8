"""The folder of a run that is about to begin: made or taken up, and its log."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from nearer.errors import RunExists
from nearer.loop.world import World
from nearer.run import lock
from nearer.run.disk import disk_fault
from nearer.run.door import Plan
from nearer.run.launch import on_all
from nearer.run.names import draw_name
from nearer.run.record import Elsewhere, RunFolder, create, fresh_record, now
from nearer.run.secrets import Masking, masked
from nearer.run.spec import RunSpec
from nearer.run.spec_json import spec_to_json
from nearer.run.stopping import forget

LOGGER = logging.getLogger("nearer")


def take_folder(plan: Plan, earlier: RunFolder | None, world: World) -> RunFolder:
    """The run's folder, made or taken by the first process."""
    described = spec_to_json(plan.spec)

    def make() -> RunFolder | None:
        if not world.is_main:
            return None
        if earlier is None:
            return _create(plan.spec, described)
        try:
            lock.take(earlier.path)
            forget(earlier.path)  # what a process that was killed did not come to obey
            fresh = fresh_record(plan.spec.experiment, earlier.path.name, described)
            before = earlier.read()
            created = before.get("created", fresh["created"])
            kept = {name: before[name] for name in ("forecast",) if name in before}
            earlier.write({**fresh, **kept, "created": created, "resumed": fresh["created"]})
        except OSError as error:
            lock.release(earlier.path)
            raise disk_fault(error, earlier.path) from error
        return earlier

    folder = on_all(world, make)
    path = world.broadcast(None if folder is None else folder.path)
    assert path is not None
    return folder or Elsewhere(path)


def _create(spec: RunSpec, described: dict[str, Any]) -> RunFolder:
    if spec.name is not None:
        return create(spec.runs_folder, spec.experiment, spec.name, described)
    while True:
        try:
            return create(spec.runs_folder, spec.experiment, draw_name(), described)
        except RunExists:
            continue


def note_end(folder: RunFolder, failure: BaseException, **values: Any) -> None:
    """Record how a run failed; where even that fails, the failure itself is still what is told."""
    try:
        folder.update(**values)
    except (OSError, ValueError) as error:
        failure.add_note(f"{folder.record} could not be brought up to date: {error}")


def note_failure(folder: RunFolder, error: BaseException) -> None:
    """Record that a run failed, or was left in the middle of a step, and tell it."""
    status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    notes = getattr(error, "__notes__", [])
    said = masked("; ".join([f"{type(error).__name__}: {error}".removesuffix(": "), *notes]))
    note_end(folder, error, status=status, error=said, finished=now())
    LOGGER.error("Run %s %s: %s", folder.path.name, status, said)


class LogFile(logging.FileHandler):
    """log.txt; what cannot be written of it is told once, on the console, and passed over."""

    told = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Say once that the log is not whole; the run can do without."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.told:
            self.told = True  # before the warning, which comes here too
            LOGGER.warning("%s is not whole: %s", self.baseFilename, error)

    def close(self) -> None:
        """Close it, with whatever a full disk has left in memory."""
        with suppress(OSError):
            super().close()


@contextmanager
def log_to(folder: RunFolder) -> Iterator[None]:
    """Write what the console says to the run's log.txt as well, plain; a resume goes on in it."""
    try:
        handler = LogFile(folder.log, mode="a", encoding="utf-8")
    except OSError as error:
        LOGGER.warning("there is no log of this run: %s", error)
        yield
        return
    handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)-8s %(message)s"))
    masking = Masking()
    LOGGER.addFilter(masking)  # of the logger, so that the console is spared as well
    LOGGER.addHandler(handler)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.removeFilter(masking)
        handler.close()
