"""Going on with a run: which checkpoint, whether it fits what is asked now, what to say of it."""

import logging
import shlex
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearer.errors import ArtifactError, RunExists, SpecError
from nearer.loop.snapshot import Snapshot, position_in
from nearer.loop.world import World
from nearer.run.cadence import read_cadence
from nearer.run.checkpoint import all_checkpoints, read_checkpoint
from nearer.run.facts import changes, remarks
from nearer.run.keeper import Checkpoints
from nearer.run.lock import way_out, where
from nearer.run.record import RunFolder, find
from nearer.run.spec import RunSpec, parse, runs_folder
from nearer.run.spec_json import lost
from nearer.run.verify import Verification

LOGGER = logging.getLogger("nearer")
ANEW = (
    "What frozen parts make of the data is computed anew, in other batches: the run goes on with "
    "equal numbers up to rounding, not bit for bit (frozen_cache=0 would be bit for bit)"
)


@dataclass(frozen=True)
class Resumption:
    """Where a run begins: at its beginning, or at a checkpoint.

    Attributes:
        facts: What the run is, to be written into its checkpoints.
        fit: The snapshot to go on from; None: from the beginning.
        expected: A later snapshot to compare with; None: nothing is verified.
        notes: What is to be said of it.
        damaged: Checkpoints that cannot be used.
        seconds: That the run has taken so far.
    """

    facts: Mapping[str, Any]
    fit: Snapshot | None = None
    expected: Snapshot | None = None
    notes: tuple[str, ...] = ()
    damaged: tuple[Path, ...] = ()
    seconds: float = 0.0

    def say(self) -> None:
        """Say from where the run goes on, and what is not as it was."""
        for note in self.notes:
            LOGGER.warning("%s", note)
        if self.fit is not None:
            at = position_in(self.fit)
            LOGGER.info("Going on from step %s (epoch %s, batch %s)", at.step, at.epoch, at.batch)

    def keeper(
        self, folder: RunFolder, every: int | str, world: World
    ) -> AbstractContextManager[Checkpoints | None]:
        """Who keeps the fit from here on; None where nothing is to be kept."""
        cadence = read_cadence(every)
        if world.is_main:
            for path in self.damaged:
                shutil.rmtree(path, ignore_errors=True)
        if cadence.unit == "never" and self.expected is None:
            return nullcontext()
        return Checkpoints(
            folder.checkpoints,
            cadence,
            {**self.facts, "seconds": self.seconds},
            writes=world.is_main,
            start=None if self.fit is None else position_in(self.fit),
            verification=None if self.expected is None else Verification(self.expected),
        )

    def forget(self, folder: RunFolder, world: World) -> None:
        """Remove the checkpoints: the run is finished."""
        if world.is_main:
            shutil.rmtree(folder.checkpoints, ignore_errors=True)


def take_up(
    earlier: RunFolder | None, facts: Mapping[str, Any], *, verify: bool = False
) -> Resumption:
    """Find the last checkpoint of a run that can be used.

    Args:
        earlier: The run to go on with; None: a new one.
        facts: What the run is now.
        verify: Go on from the one before the last, to compare on the way.

    Raises:
        SpecError: Data or options are not those that the run began with, or there are no two
            checkpoints to verify with.
    """
    if earlier is None:
        return Resumption(facts)
    notes, damaged, found = [], [], []
    for path in reversed(all_checkpoints(earlier.checkpoints)):
        try:
            found.append(read_checkpoint(path))
        except ArtifactError as error:
            damaged.append(path)
            notes.append(f"A checkpoint cannot be used: {error}")
        if len(found) == 1 + verify:
            break
    if not found:
        if verify:
            raise SpecError([_TOO_FEW])
        notes.append("There is no checkpoint to go on from; the run starts again")
        return Resumption(facts, notes=tuple(notes), damaged=tuple(damaged))
    chosen, before = found[-1], found[-1]["facts"]
    faults = list(changes(before, facts))
    if verify and len(found) < 2:
        faults.append(_TOO_FEW)
    if faults:
        raise SpecError(faults)
    if damaged:
        notes.append(f"The one before it is used, of step {position_in(chosen['fit']).step}")
    notes += remarks(before, facts)
    return Resumption(
        facts,
        chosen["fit"],
        found[0]["fit"] if verify else None,
        tuple(notes),
        tuple(damaged),
        float(before.get("seconds", 0.0)),
    )


_TOO_FEW = "verify: needs two checkpoints, to replay from one to the other; leave it out"


def spec_of(options: dict[str, Any]) -> tuple[RunSpec, RunFolder | None]:
    """Parse the options; those of a resumed run are its recorded ones, overridden by the new.

    Raises:
        SpecError: Something is wrong with them, or was given as an object and is needed again.
        RunNotFound: There is no run of that name.
        RunExists: It is still running.
    """
    if not options.get("resume") or not options.get("name"):
        return parse(options), None
    folder = find(runs_folder(options.get("runs_dir")), options["name"], options.get("experiment"))
    record = folder.read()
    if record["status"] in ("created", "running"):
        raise RunExists(
            f'run "{folder.path.name}" is still running, as {where(record["process"])}; '
            f"{way_out(record['process'], folder.path)}"
        )
    recorded = record["spec"]
    faults = lost({name: value for name, value in recorded.items() if name not in options})
    if faults and record["status"] != "finished":
        raise SpecError(faults)
    return parse({**recorded, "experiment": folder.path.parent.name, **options}), folder


def resume_command(folder: Path) -> str:
    """The command that goes on with the run in a folder."""
    runs, experiment = folder.parent.parent, folder.parent.name
    words = ["nearer", "runs", "resume", folder.name]
    if experiment != "default":
        words += ["--experiment", experiment]
    if runs != runs_folder():
        words += ["--runs-dir", str(runs)]
    return shlex.join(words)
