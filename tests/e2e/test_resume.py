"""Interrupted and resumed is the same as not interrupted, bit for bit, through the front door."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image
from support.cli import Bench
from support.tiny import save_tiny_vit

import nearer
from nearer.run.checkpoint import all_checkpoints, read_checkpoint
from nearer.run.resume import Resumption
from nearer.run.verify import COMPARED, differences


@pytest.fixture
def bench(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    # The last checkpoint of a finished run stays, so that its optimizer can be compared.
    monkeypatch.setattr(Resumption, "forget", lambda self, folder, world: None)
    bench.defaults |= {"learning_rate": 1e-2, "checkpoint_every": "epoch"}
    bench.defaults["training_memory"] = "1GiB"
    return bench


class Comes(nearer.Callback):
    """Sends this process a signal after some steps."""

    steps: ClassVar[set[int]] = set()

    def on_train_batch_end(self, ctx: Any) -> None:
        if ctx.step in self.steps:
            self.steps.remove(ctx.step)
            os.kill(os.getpid(), signal.SIGINT)


def labelled(bench: Bench) -> dict[str, Any]:
    kinds = ["shoes", "boots", "hat", "coat"]
    colours = ["red", "green", "blue", "warm", "cold"]
    rows = [f"{c} {k},{k}" for k in kinds for c in colours]
    return {"train_data": bench.write("labelled.csv", "text,label\n" + "\n".join(rows) + "\n")}


def negatives(bench: Bench) -> dict[str, Any]:
    rows = [
        f"cheap {a},the best {a},a {b} for rain"
        for a, b in (("hat", "coat"), ("coat", "boots"), ("boots", "hat"), ("shirt", "shoes"))
    ]
    text = "query,document,negative\n" + "\n".join(rows * 5) + "\n"
    return {"train_data": bench.write("negatives.csv", text)}


def towers(bench: Bench) -> dict[str, Any]:
    model = str(bench.model)
    return {"model": None, "query_model": model, "index_model": model, "output_dim": 16}


def frozen_tower(bench: Bench) -> dict[str, Any]:
    """With a loss that learns at a rate of its own, and both directions."""
    loss = {"loss": "SigLIP", "loss_learning_rate": 0.05}
    frozen = {"freeze": "index", "frozen_cache": 0}  # what is kept is equal to rounding only
    return {**towers(bench), **loss, **frozen, "both_directions": True}


def pictures(bench: Bench) -> dict[str, Any]:
    """Labelled pictures, each of which is another view at every epoch."""
    folder = Path(bench.write("pictures.csv", "")).parent
    lines = ["image,label"]
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 255, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{i % 3}")
    model = str(save_tiny_vit(folder))
    train = bench.write("pictures.csv", "\n".join(lines) + "\n")
    nothing: dict[str, Any] = dict.fromkeys(("query_data", "index_data", "qrels", "limit"))
    return {"model": model, "train_data": train, **nothing, "batch_size": 6, "items_per_class": 2}


CASES: dict[str, Any] = {
    "pairs": lambda bench: {"epochs": 3, "patience": 2},
    "validation": lambda bench: {"val_split": 0.2, "evaluate_every": 2, "patience": 3},
    "labelled": labelled,
    "negatives": negatives,
    "towers": towers,
    "frozen tower": frozen_tower,
    "two passes": lambda bench: {"micro_batch": 4},
    "pictures": pictures,
    "lora": lambda bench: {"lora": 2, "frozen_cache": 0},
}


def fit(bench: Bench, name: str, **options: Any) -> Any:
    given = {**bench.options(**options), "name": name, "callbacks": [Comes()]}
    return nearer.fit(**{k: v for k, v in given.items() if v is not None})


def model_files(run: Any) -> dict[str, bytes]:
    return {
        p.relative_to(run.artifact).as_posix(): p.read_bytes()
        for p in sorted(run.artifact.rglob("*"))
        if p.is_file() and p.name != "nearer.json"
    }


def same_runs(one: Any, other: Any) -> None:
    assert [{**p, "seconds": 0} for p in one.history] == [
        {**p, "seconds": 0} for p in other.history
    ]
    assert one.stop_reason == other.stop_reason
    assert one.best_epoch == other.best_epoch
    assert one.metrics() == other.metrics()
    assert one.losses == other.losses
    assert sum(p["rows"] for p in one.losses)
    assert model_files(one) == model_files(other)
    ranks = [sorted((run.folder / "ranks").iterdir()) for run in (one, other)]
    assert [p.name for p in ranks[0]] == [p.name for p in ranks[1]]
    assert [p.read_bytes() for p in ranks[0]] == [p.read_bytes() for p in ranks[1]]
    kept = [
        read_checkpoint(all_checkpoints(run.folder / "checkpoint")[-1])["fit"]
        for run in (one, other)
    ]
    for name in COMPARED:
        assert list(differences(kept[0][name], kept[1][name], name)) == []


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_is_interrupted_after_every_step(case: str, bench: Bench) -> None:
    options = CASES[case](bench)
    whole = fit(bench, "whole", **options)
    steps = whole.record["steps"]
    every = range(1, steps + 1) if case in ("pairs", "validation") else (1, steps - 1)
    Comes.steps = set(every)
    for step in every:
        with pytest.raises(nearer.Interrupted) as caught:
            fit(bench, "broken", resume=step > 1, **options)
        assert caught.value.run.status == "interrupted"
    again = fit(bench, "broken", resume=True, **options)
    assert again.status == "finished"
    same_runs(again, whole)
    log = again.logs()
    assert log.count("Going on from step") == len(every)
    assert log.count("Go on with: nearer runs resume broken") == len(every)


def interrupted(bench: Bench, step: int = 6, **options: Any) -> Any:
    Comes.steps = {step}
    with pytest.raises(nearer.Interrupted) as caught:
        fit(bench, "broken", **options)
    return caught.value.run


def damage(path: Path) -> None:
    file = path / "tensors.safetensors"
    data = bytearray(file.read_bytes())
    data[-7] ^= 4
    file.write_bytes(bytes(data))


def test_a_damaged_checkpoint_falls_back_to_the_one_before(bench: Bench) -> None:
    whole = fit(bench, "whole")
    run = interrupted(bench)
    first, second = all_checkpoints(run.folder / "checkpoint")
    damage(second)
    again = fit(bench, "broken", resume=True)
    same_runs(again, whole)
    assert f"A checkpoint cannot be used: {second}" in again.logs()
    assert "The one before it is used, of step 4" in again.logs()
    assert first.name == "0000004"


def test_without_a_usable_one_the_run_starts_again(bench: Bench) -> None:
    whole = fit(bench, "whole")
    run = interrupted(bench)
    for path in all_checkpoints(run.folder / "checkpoint"):
        damage(path)
    again = fit(bench, "broken", resume=True)
    same_runs(again, whole)
    assert "There is no checkpoint to go on from; the run starts again" in again.logs()


def test_verify_replays_and_compares(bench: Bench) -> None:
    whole = fit(bench, "whole")
    run = interrupted(bench)
    again = fit(bench, "broken", resume=True, verify=True)
    same_runs(again, whole)
    assert "Verified: replayed to step 6, every bit is the same" in again.logs()
    assert "Going on from step 4" in run.logs()


def test_verify_names_what_differs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run = interrupted(bench)
    earlier, _ = all_checkpoints(run.folder / "checkpoint")
    from nearer.run import resume as module

    real = module.read_checkpoint

    def changed(path: Path) -> dict[str, Any]:
        found = real(path)
        if path == earlier:
            weights = found["fit"]["model"]
            name = next(iter(weights))
            weights[name] = weights[name] * 1.001
        return found

    monkeypatch.setattr(module, "read_checkpoint", changed)
    with pytest.raises(nearer.NearerError, match="the fit differs from its checkpoint: model/"):
        fit(bench, "broken", resume=True, verify=True)
    assert len(all_checkpoints(run.folder / "checkpoint")) == 2


def test_verify_needs_two(bench: Bench) -> None:
    interrupted(bench, step=1)
    with pytest.raises(nearer.NearerError, match="verify: needs two checkpoints"):
        fit(bench, "broken", resume=True, verify=True)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"learning_rate": 1e-3}, "learning_rate: was 0.01, is 0.001; a run goes on with"),
        ({"batch_size": 4}, "batch_size: was 8, is 4"),
        ({"seed": 1}, "seed: was 42, is 1"),
    ],
)
def test_changed_options_are_refused(changed: dict[str, Any], says: str, bench: Bench) -> None:
    run = interrupted(bench)
    before = run.record
    with pytest.raises(nearer.NearerError, match=says):
        fit(bench, "broken", resume=True, **changed)
    assert run.record == before


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("train_data", r"train data: not the data .* \(fingerprint\)"),
        ("query_data", r"evaluation tiny-bert data: .* \(query_fingerprint\)"),
        ("qrels", r"evaluation tiny-bert data: .* \(relevant\)"),
    ],
)
def test_changed_data_are_refused(name: str, says: str, bench: Bench) -> None:
    interrupted(bench)
    path = Path(bench.files[name])
    text = path.read_text()
    lines = text.splitlines(keepends=True)
    path.write_text("".join(lines[:-1]) if name == "qrels" else text.replace("hat", "cap"))
    with pytest.raises(nearer.NearerError, match=says):
        fit(bench, "broken", resume=True)


def test_data_that_have_moved_are_the_same(bench: Bench) -> None:
    whole = fit(bench, "whole")
    interrupted(bench)
    (bench.folder / "moved").mkdir()
    moved = shutil.move(bench.files["train_data"], bench.folder / "moved")
    same_runs(fit(bench, "broken", resume=True, train_data=str(moved)), whole)


def test_other_versions_are_named_and_the_run_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nearer.run import facts as module

    interrupted(bench)
    real = module.environment

    def other() -> dict[str, Any]:
        found = real()
        return {**found, "versions": {**found["versions"], "torch": "9.9"}}

    monkeypatch.setattr(module, "environment", other)
    run = fit(bench, "broken", resume=True)
    assert run.status == "finished"
    assert "is 9.9: from here on the run is statistically the same, not bit for bit" in run.logs()


def test_more_epochs_and_patience_are_allowed(bench: Bench) -> None:
    interrupted(bench, patience=2)
    run = fit(bench, "broken", resume=True, epochs=3, patience=9)
    assert run.record["epochs_run"] == 3
    assert "epochs was 2, is 3: from here on the learning rates are those of 3 epochs" in run.logs()
    assert [point["epoch"] for point in run.history] == [0, 1, 2, 3]


def test_the_command_line_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit(bench, "whole")
    spec = bench.write("spec.toml", f'[[callbacks]]\nname = "{__name__}:Comes"\n')
    Comes.steps = {3}
    assert bench.fit(spec, name="broken", experiment="other").code == 130
    listed = bench.run("runs", "list", "--runs-dir", bench.runs).out
    assert "interrupted" in listed
    ran = bench.run("runs", "resume", "broken", "--runs-dir", bench.runs, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["status"] == "finished"
    same_runs(nearer.get_run("broken"), whole)
    assert "Training [2/2] 4/4" in ran.err
    # A finished one gives its result again.
    assert bench.run("runs", "resume", "broken", "--json").out == ran.out


def test_never_means_never_and_a_finished_run_leaves_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    os.chdir(bench.folder)
    run = fit(bench, "whole")
    assert not (run.folder / "checkpoint").exists()
    Comes.steps = {3}
    with pytest.raises(nearer.Interrupted) as caught:
        fit(bench, "broken", checkpoint_every="never")
    assert not (caught.value.run.folder / "checkpoint").exists()
