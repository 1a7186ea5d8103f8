"""RunView: what a run's folder says, read when it is asked for. Does nothing with it."""

from pathlib import Path
from typing import Any

from nearer.errors import NearerError
from nearer.loop.state import StopKind, StopReason
from nearer.run.batch_losses import read_losses
from nearer.run.record import RunFolder, Status
from nearer.run.record_shape import read_points


class RunView:
    """A run as it stands on disk; `Run` adds what can be done with it.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = RunFolder(folder)

    def __repr__(self) -> str:
        where = f"experiment={self.experiment!r}, status={self.status!r}"
        return f"{type(self).__name__}({self.name!r}, {where})"

    @property
    def name(self) -> str:
        """Its name."""
        return self._folder.path.name

    @property
    def experiment(self) -> str:
        """The experiment that it belongs to."""
        return self._folder.path.parent.name

    @property
    def folder(self) -> Path:
        """Where everything of it lies."""
        return self._folder.path

    @property
    def record(self) -> dict[str, Any]:
        """What run.json says: spec, environment, data, status."""
        return self._folder.read()

    @property
    def status(self) -> Status:
        """created, running, finished, failed, interrupted; dead: its process is gone."""
        status: Status = self.record["status"]
        return status

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it ended; None while it runs, and where it failed."""
        reason = self.record["stop_reason"]
        return None if reason is None else StopReason(StopKind(reason["kind"]), reason["detail"])

    @property
    def best_epoch(self) -> int | None:
        """The epoch that scored best, 0 for the model as it came; None where nothing was judged."""
        return self.record.get("best_epoch")

    @property
    def history(self) -> list[dict[str, Any]]:
        """One entry for each evaluation point, epoch 0 included: epoch, step, metrics, seconds."""
        try:
            text = self._folder.metrics.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise NearerError(f"{self._folder.metrics} cannot be read: {error}") from error
        return read_points(text, self._folder.metrics)

    @property
    def losses(self) -> list[dict[str, Any]]:
        """The training loss from step to step: step, epoch, loss, rows, learning_rate.

        Each entry is the mean over one step or more, so that there are 400 at most; those of the
        steps since the last evaluation come when the run reaches the next one.
        """
        return read_losses(self._folder.losses)

    @property
    def artifact(self) -> Path:
        """Folder of the model.

        Raises:
            NearerError: There is none (yet); says what the run's status is.
        """
        if not self._folder.artifact.is_dir():
            raise NearerError(f'run "{self.name}" has no artifact: it is {self.status}')
        return self._folder.artifact

    def metrics(self) -> dict[str, dict[str, float]]:
        """What the model scored before fine-tuning, and what the artifact scores after."""
        return self.record.get("metrics") or {"before": {}, "after": {}}

    def logs(self) -> str:
        """What the console said."""
        try:
            return self._folder.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    @property
    def evaluations(self) -> list[str]:
        """Names of the evaluations whose ranks it keeps, in its own order."""
        from nearer.run.ranks import all_ranks

        kept = {ranks.evaluation for ranks in all_ranks(self._folder.ranks)}
        listed = [name.removeprefix("evaluation ") for name in self.record.get("data") or ()]
        return [*(n for n in listed if n in kept), *sorted(kept.difference(listed))]

    def result(self) -> dict[str, Any]:
        """What `nearer fit --json` prints; paths are absolute."""
        record = self.record
        artifact = self._folder.artifact
        return {
            "run": self.name,
            "experiment": self.experiment,
            "status": record["status"],
            "stop_reason": record["stop_reason"],
            "epochs_run": record.get("epochs_run", 0),
            "best_epoch": record.get("best_epoch"),
            "metrics": self.metrics(),
            "history": [{k: p[k] for k in ("epoch", "step", "metrics")} for p in self.history],
            "artifact": str(artifact.absolute()) if artifact.is_dir() else None,
            "seconds": record.get("seconds"),
        }
