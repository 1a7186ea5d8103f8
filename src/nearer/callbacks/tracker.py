"""Tracker: hand the numbers of a run to TensorBoard, W&B, MLflow, … through accelerate."""

import logging
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from nearer.callbacks.arguments import number_faults
from nearer.callbacks.aside import Aside
from nearer.errors import SpecError, did_you_mean
from nearer.loop.callback import Callback
from nearer.loop.context import Context

NAMES = (
    "tensorboard",
    "wandb",
    "mlflow",
    "trackio",
    "comet_ml",
    "aim",
    "clearml",
    "dvclive",
    "swanlab",
)
LOGGER = logging.getLogger("nearer")


class Tracker(Callback):
    """Send loss, learning rate and metrics to an experiment tracker.

    Names are grouped the way trackers show them: `train/loss`, `train/learning_rate`,
    `metrics/<name>`; the step is the optimizer step. MLflow, which takes no "@" in a name, gets
    `metrics/ndcg_at_10`. A run that is resumed goes on in the same run of MLflow and in the same
    curves of TensorBoard; elsewhere it begins a new one. A tracker that fails is warned about once
    and then left alone: it never ends a run. One that does not answer is waited for once, for
    `timeout` seconds.

    Args:
        service: "tensorboard", "wandb", "mlflow" or another tracker that accelerate knows.
        project: Name of the project or experiment there.
        folder: Where trackers that write files put them.
        every: Steps between two lines of the training loss.
        options: Passed to the tracker's own start, such as {"tags": ["first"]}.
        timeout: Seconds that one call to the tracker may take.
        artifact: Send the artifact too, once it is built, as `artifact/` of the run there; only
            MLflow takes one. It may take twenty times `timeout`.

    Raises:
        SpecError: accelerate knows no such tracker, its package is not installed, or it takes no
            artifact.
    """

    def __init__(
        self,
        service: str,
        project: str = "nearer",
        folder: str | Path = "trackers",
        every: int = 10,
        options: dict[str, Any] | None = None,
        timeout: float = 30.0,
        artifact: bool = False,
    ) -> None:
        if service not in NAMES:
            hint = did_you_mean(service, NAMES)
            raise SpecError([f'no tracker "{service}"; there are {", ".join(NAMES)}.{hint}'])
        faults = number_faults("Tracker.every", every, 1)
        if not timeout > 0:
            faults.append(f"Tracker.timeout: {timeout}; must be more than 0")
        if artifact and service != "mlflow":
            faults.append(
                f"Tracker.artifact: only mlflow takes an artifact, not {service}; leave it out, or "
                "push it to a URL: push"
            )
        if faults:
            raise SpecError(faults)
        self.service = service
        self.project = project
        self.folder = str(folder)
        self.every = every
        self.options = dict(options or {})
        self.timeout = timeout
        self.artifact = artifact

    def check(self) -> None:
        """Check that the tracker's package is there."""
        from accelerate.tracking import get_available_trackers

        available = [str(getattr(t, "value", t)) for t in get_available_trackers()]
        if self.service not in available:
            name = self.service
            raise SpecError([f"Tracker: {name} is not installed; try: pip install {name}"])

    def on_fit_begin(self, ctx: Context) -> None:
        """Start the tracker with the configuration of the fit."""
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        self._tracker: Any = None
        self._failed, self._run_id = False, None
        self._aside = Aside(f"nearer-{self.service}")
        kind = LOGGER_TYPE_TO_CLASS[self.service]
        where = (self.project, self.folder) if kind.requires_logging_directory else (self.project,)
        plain = int, float, str
        config = {k: v for k, v in vars(ctx.config).items() if isinstance(v, plain)}
        options = dict(self.options)
        if ctx.history and self.service == "tensorboard":
            # A resume: what was sent after the checkpoint comes again, and hides the first.
            options.setdefault("purge_step", ctx.step + 1)

        def start() -> None:
            self._tracker = kind(*where, **options)
            self._tracker.start()
            if not self._goes_on:  # else it has them, and MLflow lets none of them change
                self._tracker.store_init_configuration(config)

        self._options, self._start, self._goes_on = options, start, False
        if not ctx.history:  # else `load_state_dict` may say which run of the service it was
            self._guarded(start)

    def on_train_batch_end(self, ctx: Context) -> None:
        """Log the loss and the learning rate."""
        if ctx.step % self.every == 0 and ctx.batch_loss is not None:
            self._log(
                {"train/loss": ctx.batch_loss, "train/learning_rate": ctx.learning_rates[0]},
                ctx.step,
            )

    def on_metrics(self, ctx: Context) -> None:
        """Log every metric of this point."""
        self._log({f"metrics/{name}": value for name, value in ctx.metrics.items()}, ctx.step)

    def state_dict(self) -> dict[str, Any]:
        """The run at the service, where a resume can go on with it."""
        run = getattr(self._tracker, "active_run", None)  # MLflow's
        return {"run_id": run.info.run_id} if run is not None else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the run at the service."""
        if "run_id" in state:
            self._options["run_id"], self._goes_on = state["run_id"], True

    def on_close(self, ctx: Context) -> None:
        """Finish the tracker's run."""
        if vars(self).get("_tracker") is not None:
            self._run_id = self.state_dict().get("run_id")
            self._guarded(self._tracker.finish)
            self._tracker = None
        if "_aside" in vars(self):
            self._aside.end()

    def send(self, artifact: Path) -> None:
        """Send the artifact to the run that has ended, where that was asked for."""
        if not self.artifact or vars(self).get("_run_id") is None:
            return
        self._aside = Aside(f"nearer-{self.service}")
        self._guarded(lambda: _send_to_mlflow(self._run_id, artifact), 20)
        self._aside.end()

    def _log(self, values: dict[str, float], step: int) -> None:
        if self.service == "mlflow":
            values = {_mlflow_name(name): value for name, value in values.items()}
        if self._tracker is None:
            self._guarded(self._start)
        self._guarded(lambda: self._tracker.log(values, step=step))

    def _guarded(self, call: Callable[[], None], times: int = 1) -> None:
        if self._failed:
            return
        try:
            with redirect_stdout(sys.stderr):  # stdout is for results, and trackers print
                self._aside.call(call, times * self.timeout)
        except Exception as error:  # whatever a server or its client may raise
            self._failed = True
            LOGGER.warning("%s failed and is left alone from here: %s", self.service, error)


def _send_to_mlflow(run_id: Any, artifact: Path) -> None:
    from mlflow import MlflowClient

    MlflowClient().log_artifacts(run_id, str(artifact), "artifact")


def _mlflow_name(name: str) -> str:
    """A name that MLflow takes: ndcg@10 is ndcg_at_10."""
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", "_at_"), flags=re.ASCII)
