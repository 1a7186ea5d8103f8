"""Tracker: TensorBoard for real, and a tracker that fails."""

import json
import logging
import threading
import time
from pathlib import Path

import pytest
from support.recorder import Values
from support.tiny import Letters
from support.toy import KeepsAll, toy_fit

import nearer
from nearer.callbacks import Tracker
from nearer.callbacks.aside import Aside
from nearer.callbacks.tracker import NAMES
from nearer.errors import SpecError


class Fake:
    """A tracker in memory, which may fail when asked to do something."""

    requires_logging_directory = False
    made: list["Fake"]

    def __init__(self, project, **options):
        self.project, self.options, self.called, self.logged = project, options, [], []
        self.made.append(self)

    def _call(self, name):
        self.called.append(name)
        if name == self.failing:
            raise ConnectionError("no server")

    def start(self):
        self._call("start")

    def store_init_configuration(self, values):
        self._call("store_init_configuration")
        self.configuration = values

    def log(self, values, step):
        self._call("log")
        self.logged.append((step, values))

    def finish(self):
        self._call("finish")


@pytest.fixture
def fake(monkeypatch):
    from accelerate import tracking

    def install(failing=None):
        kind = type("Kind", (Fake,), {"failing": failing, "made": []})
        monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "wandb", kind)
        return kind

    return install


def test_what_is_logged_and_when(fake):
    kind = fake()
    result = toy_fit(Tracker("wandb", "mine", every=3, options={"tags": ["a"]}), Values([1, 2, 3]))
    (tracker,) = kind.made
    assert (tracker.project, tracker.options) == ("mine", {"tags": ["a"]})
    assert tracker.configuration["epochs"] == 2
    json.dumps(tracker.configuration)
    losses = [p.metrics["train_loss"] for p in result.history[1:]]
    assert [step for step, _ in tracker.logged] == [0, 2, 3, 4]
    assert tracker.logged[0] == (0, {"metrics/score": 1})
    assert tracker.logged[1] == (2, {"metrics/score": 2, "metrics/train_loss": losses[0]})
    assert tracker.logged[2][1].keys() == {"train/loss", "train/learning_rate"}
    assert tracker.logged[2][1]["train/learning_rate"] == 0.05


def test_every_fit_has_its_own_run_and_each_is_finished_once(fake):
    kind, tracker = fake(), Tracker("wandb")
    for _ in range(2):
        toy_fit(tracker)
    tracker.on_close(None)
    assert [one.called.count("finish") for one in kind.made] == [1, 1]
    assert [one.called.count("start") for one in kind.made] == [1, 1]


@pytest.mark.parametrize("failing", ["start", "store_init_configuration", "log", "finish"])
def test_a_tracker_that_fails_is_warned_about_once_and_training_goes_on(fake, failing, caplog):
    kind = fake(failing)
    with caplog.at_level(logging.WARNING, "nearer"):
        result = toy_fit(Tracker("wandb", every=1))
    assert result.epochs_run == 2
    (record,) = caplog.records
    assert record.message == "wandb failed and is left alone from here: no server"
    assert kind.made[0].called.count(failing) == 1


def test_a_tracker_that_cannot_be_made_is_left_alone_too(fake, caplog):
    toy_fit(Tracker("wandb", options={"project": "twice"}), epochs=1)
    assert len(caplog.records) == 1


def test_wrong_arguments():
    with pytest.raises(SpecError, match=r'no tracker "wandbb"; .* Did you mean "wandb"\?'):
        Tracker("wandbb")
    with pytest.raises(SpecError, match=r"Tracker.every: 0; must be at least 1"):
        Tracker("wandb", every=0)


def test_a_package_that_is_not_there_is_named_before_anything_runs(monkeypatch):
    from accelerate import tracking

    monkeypatch.setattr(tracking, "get_available_trackers", list)
    with pytest.raises(SpecError, match="wandb is not installed; try: pip install wandb"):
        Tracker("wandb").check()


def test_accelerate_knows_every_name():
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    assert set(NAMES) <= set(LOGGER_TYPE_TO_CLASS)


def test_tensorboard_for_real(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracker = Tracker("tensorboard", "mine", tmp_path, every=1)
    tracker.check()
    result = toy_fit(tracker, Values([0.25, 0.5, 0.75]))
    # The configuration goes into a run of its own beside the scalars.
    (events,) = (tmp_path / "mine").glob("events.out.*")
    read = EventAccumulator(str(events))
    read.Reload()
    scalars = {
        tag: [(e.step, e.value) for e in read.Scalars(tag)]
        for tag in ("metrics/score", "metrics/train_loss", "train/loss", "train/learning_rate")
    }
    assert scalars["metrics/score"] == [(0, 0.25), (2, 0.5), (4, 0.75)]
    assert [step for step, _ in scalars["train/loss"]] == [1, 2, 3, 4]
    assert [v for _, v in scalars["metrics/train_loss"]] == pytest.approx(
        [p.metrics["train_loss"] for p in result.history[1:]]
    )
    assert [v for _, v in scalars["train/learning_rate"]] == pytest.approx([0.05] * 4)


def test_a_server_that_does_not_answer_is_waited_for_once(fake, caplog, monkeypatch):
    """The first line of the log never comes back; the fit does, after one timeout."""
    kind, never = fake(), threading.Event()
    monkeypatch.setattr(kind, "log", lambda self, values, step: never.wait())
    waited = []
    real = Aside.call
    monkeypatch.setattr(
        Aside, "call", lambda self, f, seconds: waited.append(seconds) or real(self, f, seconds)
    )
    try:
        result = toy_fit(Tracker("wandb", every=1, timeout=0.5))
    finally:
        never.set()
    assert result.epochs_run == 2
    assert waited == [0.5, 0.5]  # the start, which answered, and the first line
    (record,) = caplog.records
    assert record.message == "wandb failed and is left alone from here: no answer in 0.5 seconds"


def test_all_calls_come_from_one_thread_that_ends_with_the_fit(fake):
    """Some clients keep the run that they are in by thread."""
    kind, threads = fake(), set()
    kind._call = lambda self, name: threads.add(threading.current_thread())
    toy_fit(Tracker("wandb", every=1))
    (one,) = threads
    assert one is not threading.current_thread()
    one.join(5)
    assert not one.is_alive()


def test_a_timeout_of_the_call_itself_is_told_as_it_is(fake, caplog, monkeypatch):
    kind = fake()

    def late(self, values, step):
        raise TimeoutError("the client gave up")

    monkeypatch.setattr(kind, "log", late)
    toy_fit(Tracker("wandb", every=1), epochs=1)
    assert caplog.records[0].message.endswith("from here: the client gave up")


def test_what_a_tracker_prints_does_not_go_to_stdout(fake, capsys, monkeypatch):
    kind = fake()
    monkeypatch.setattr(kind, "start", lambda self: print("Trackio project initialized"))
    toy_fit(Tracker("wandb"))
    shown = capsys.readouterr()
    assert (shown.out, "Trackio project initialized" in shown.err) == ("", True)


def test_a_timeout_must_be_more_than_nothing():
    with pytest.raises(SpecError, match=r"Tracker.timeout: 0; must be more than 0"):
        Tracker("wandb", timeout=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of MLflow and its database, in its own code
def test_mlflow_for_real_goes_on_in_the_same_run(tmp_path, monkeypatch):
    """A name with an @ as cutoffs have it, steps, and what was sent twice."""
    import mlflow

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    keeper = KeepsAll()
    toy_fit(Tracker("mlflow", "mine", every=1), Values([1, 2, 3], "hit@10"), keeper=keeper)
    taken = next(taken for at, taken in keeper.kept if at.step == 3)
    again = Tracker("mlflow", "mine", every=1)
    toy_fit(again, Values([1, 2, 3, 4], "hit@10"), resume=taken, epochs=3)
    client = mlflow.MlflowClient()
    (experiment,) = [e for e in client.search_experiments() if e.name == "mine"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["epochs"] == "2"

    def sent(name):
        return [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]

    assert sent("metrics/hit_at_10") == [(0, 1), (2, 2), (4, 3), (4, 3), (6, 4)]
    assert sorted(step for step, _ in sent("train/loss")) == [1, 2, 3, 4, 4, 5, 6]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mlflow_gets_the_artifact_of_a_run(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    run = nearer.fit(
        model=Letters(),
        train_data=[{"query": f"red {i}", "document": f"{i} in red"} for i in range(8)],
        epochs=1,
        callbacks=[Tracker("mlflow", "mine", artifact=True)],
        runs_dir=tmp_path / "runs",
    )
    client = mlflow.MlflowClient()
    (experiment,) = [e for e in client.search_experiments() if e.name == "mine"]
    (there,) = client.search_runs([experiment.experiment_id])
    assert there.info.status == "FINISHED"
    fetched = Path(client.download_artifacts(there.info.run_id, "artifact", str(tmp_path)))
    names = {p.relative_to(run.artifact) for p in run.artifact.rglob("*") if p.is_file()}
    assert {p.relative_to(fetched) for p in fetched.rglob("*") if p.is_file()} == names
    assert all((fetched / n).read_bytes() == (run.artifact / n).read_bytes() for n in names)
    nearer.load(fetched, module=Letters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_an_artifact_that_cannot_be_sent_fails_no_run(tmp_path, monkeypatch, caplog):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    tracker = Tracker("mlflow", "mine", artifact=True)
    toy_fit(tracker)
    (there,) = mlflow.MlflowClient().search_runs(
        [e.experiment_id for e in mlflow.MlflowClient().search_experiments() if e.name == "mine"]
    )
    place = Path(there.info.artifact_uri)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a file, where a folder has to be")
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "nearer.json").write_text("{}")
    with caplog.at_level(logging.WARNING, "nearer"):
        tracker.send(tmp_path / "artifact")
    (said,) = [r.getMessage() for r in caplog.records if r.name == "nearer"]
    assert said.startswith("mlflow failed and is left alone from here")


def test_an_artifact_is_for_mlflow_only():
    with pytest.raises(SpecError, match="only mlflow takes an artifact, not tensorboard"):
        Tracker("tensorboard", artifact=True)


def test_tensorboard_shows_a_resumed_run_as_one(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    keeper = KeepsAll()
    toy_fit(Tracker("tensorboard", "mine", tmp_path, every=1), keeper=keeper)
    taken = next(taken for at, taken in keeper.kept if at.step == 3)
    time.sleep(1.1)  # TensorBoard reads event files in the order of their names, full seconds
    toy_fit(Tracker("tensorboard", "mine", tmp_path, every=1), resume=taken, epochs=3)
    read = EventAccumulator(str(tmp_path / "mine"))
    read.Reload()
    assert [e.step for e in read.Scalars("train/loss")] == [1, 2, 3, 4, 5, 6]
