"""Run: a handle on a run's folder. Reads; whoever executes a run writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearer.artifact.store import load_artifact
from nearer.encoder.protocol import Encoder
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.errors import NearerError
from nearer.loop.state import StopKind, StopReason
from nearer.run.record import RunFolder, Status
from nearer.run.record_shape import read_points

if TYPE_CHECKING:
    from rich.console import Console

    from nearer.artifact.push import Pushed
    from nearer.evaluation.comparison import Comparison
    from nearer.run.export import Exported, Format
    from nearer.run.ranks import Point


class Run:
    """One fine-tuning run, finished or not; everything is read from its folder.

    Args:
        folder: The run's folder.

    Example:
        >>> run = nearer.fit(model="minilm", train_data="train.csv")  # doctest: +SKIP
        >>> run.metrics()["after"]["minilm_ndcg_at_k"]  # doctest: +SKIP
        0.84172
    """

    def __init__(self, folder: Path) -> None:
        self._folder = RunFolder(folder)

    def __repr__(self) -> str:
        return f"Run({self.name!r}, experiment={self.experiment!r}, status={self.status!r})"

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

    def model(self) -> Any:
        """Load the artifact: a SentenceTransformer, or the module that it was made from.

        Raises:
            NearerError: There is no artifact, or it needs `nearer.load(path, module=…)`.
        """
        encoder: Encoder = load_artifact(self.artifact)
        return encoder.model if isinstance(encoder, SentenceTransformerEncoder) else encoder.module

    def push(self, dest: str, *, force: bool = False) -> "Pushed":
        """Copy the artifact to a URL, whole or not at all; see docs/shipping.md.

        Raises:
            UsageError: `dest` is no URL to push to, or holds something else and `force` is not set.

        Example:
            >>> run.push("s3://bucket/models/first")  # doctest: +SKIP
        """
        from nearer.run.ship import push_run

        return push_run(self._folder, self.artifact, dest, force=force)

    def export(
        self, format: "Format" = "onnx", output: str | Path | None = None, data: Any = None
    ) -> "Exported":
        """Export the artifact to ONNX; see `nearer.export`."""
        from nearer.run.export import export

        return export(self.artifact, format, output, data)

    def stop(self) -> str | None:
        """Ask the run to stop, wherever it is at work; returns at once, see `wait`.

        Returns:
            Who had asked before, and when; None where nobody had.

        Raises:
            UsageError: It has ended, or is dead.
        """
        from nearer.run.stopping import ask

        return ask(self._folder)

    def wait(self, timeout: float | None = None) -> Status:
        """Wait until it has ended, or for so many seconds; returns its status then."""
        from nearer.run.stopping import wait

        return wait(self._folder, timeout)

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

    def compare(
        self,
        epoch_a: "Point" = "before",
        epoch_b: "Point" = "after",
        *,
        metric: str | None = None,
        evaluation: str | None = None,
        resamples: int = 10_000,
        seed: int = 0,
    ) -> "Comparison":
        """Compare two points of the run query by query.

        Args:
            epoch_a: "before" (the model as it came), "after" (whose weights the run kept), an
                epoch (its last evaluation if it has several), or a step such as "step150".
            epoch_b: The same for the other side.
            metric: What to compare by; default nDCG.
            evaluation: Name of the evaluation; default: the first of `evaluations`.
            resamples: Draws of the bootstrap.
            seed: Of the draws.

        Returns:
            Means, the bootstrap interval of their difference, queries won, lost and tied, and the
            documents that moved; see `nearer.compare`, also for two runs.

        Raises:
            UnknownName: No such point, evaluation or metric; says which there are.
            UsageError: The run kept no ranks.

        Example:
            >>> print(run.compare("before", "after"))  # doctest: +SKIP
        """
        from nearer.run.compare import compare

        return compare(
            self,
            self,
            epoch_a=epoch_a,
            epoch_b=epoch_b,
            metric=metric,
            evaluation=evaluation,
            resamples=resamples,
            seed=seed,
        )

    def example_results(
        self,
        queries: Sequence[str] | None = None,
        k: int | None = None,
        evaluation: str | None = None,
    ) -> dict[str, dict[str, list[str]]]:
        """Best results of some queries, before and after: {"before": {query: [document, …]}, …}.

        Args:
            queries: Ids or texts of queries; default: those that the run drew.
            k: Most documents a query; default 5.
            evaluation: Name of the evaluation; default: the first of `evaluations`.

        Returns:
            Texts; ids where the data of the evaluation is gone or has changed since.

        Raises:
            UnknownName: No such query or evaluation.
            UsageError: `k` below 1.
        """
        from nearer.run.examples import by_text, read_examples

        return by_text(read_examples(self, queries, k, evaluation))

    def display_examples(
        self,
        k: int = 5,
        queries: Sequence[str] | None = None,
        evaluation: str | None = None,
        console: "Console | None" = None,
    ) -> None:
        """Print the results of some queries before and after; ✓ marks what is relevant.

        Args:
            k: Most documents a query.
            queries: Ids or texts of queries; default: those that the run drew.
            evaluation: Name of the evaluation; default: the first of `evaluations`.
            console: Where to print; default: stdout.
        """
        from nearer.run.display import display_examples
        from nearer.run.examples import read_examples

        display_examples(read_examples(self, queries, k, evaluation), console)

    def report(self) -> Path:
        """Write the report: one HTML page that needs no other file and no network.

        A run writes it at its end. One that failed, died or still runs can be reported on too:
        the page says what there is.

        Returns:
            Path of report.html in the run's folder; an earlier one is replaced.

        Example:
            >>> import webbrowser
            >>> webbrowser.open(run.report().absolute().as_uri())  # doctest: +SKIP
        """
        from nearer.run.report import write_report

        return write_report(self)

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
