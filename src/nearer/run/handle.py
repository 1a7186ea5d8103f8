"""Run: what can be done with a run: load, push, export, stop, compare, report. Reads in view.py."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearer.artifact.store import load_artifact
from nearer.encoder.protocol import Encoder
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.run.record import Status
from nearer.run.view import RunView

if TYPE_CHECKING:
    from rich.console import Console

    from nearer.artifact.push import Pushed
    from nearer.evaluation.comparison import Comparison
    from nearer.run.export import Exported, Format
    from nearer.run.ranks import Point


class Run(RunView):
    """One fine-tuning run, finished or not; everything is read from its folder.

    Args:
        folder: The run's folder.

    Example:
        >>> run = nearer.fit(model="minilm", train_data="train.csv")  # doctest: +SKIP
        >>> run.metrics()["after"]["minilm_ndcg_at_k"]  # doctest: +SKIP
        0.84172
    """

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
