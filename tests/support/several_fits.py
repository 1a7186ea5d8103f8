"""Fits that a test runs in one process and in several; each leaves what it did in a JSON file.

python several_fits.py FOLDER MODEL DATA.json
"""

import hashlib
import json
import math
import os
import signal
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import nearer
from nearer.cli.main import run as command_line
from nearer.loop.several import Several
from nearer.loop.world import ALONE

WEIGHT = "0.auto_model.encoder.layer.0.output.dense.weight"


class Losses(nearer.Callback):
    """Keeps the loss of every batch; in the first process only, as any callback of a user's."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_batch_end(self, ctx: Any) -> None:
        self.losses.append(ctx.batch_loss)


class Stops(nearer.Callback):
    """Asks for a stop and reports a metric, which only the first process hears of."""

    def produces(self, model_name: str) -> list[nearer.MetricInfo]:
        return [nearer.MetricInfo("mine", "max", "mine")]

    def on_evaluate(self, ctx: Any) -> dict[str, float] | None:
        return None if ctx.epoch == 1 else {"mine": float(ctx.step)}

    def on_epoch_end(self, ctx: Any) -> None:
        if ctx.epoch == 1:
            ctx.request_stop("enough")


class Everywhere(nearer.Callback):
    """Is called in every process."""

    every_process = True

    def __init__(self) -> None:
        self.steps = 0

    def on_train_batch_end(self, ctx: Any) -> None:
        self.steps += 1


class Spoils(nearer.Callback):
    """Makes a gradient NaN at the second step; of several processes in the last alone."""

    every_process = True

    def __init__(self, model: str) -> None:
        from sentence_transformers import SentenceTransformer

        last = int(os.environ.get("WORLD_SIZE", "1")) - 1
        self.bad, self.chosen = False, int(os.environ.get("RANK", "0")) == last
        self.model = SentenceTransformer(model, device="cpu")
        self.model.get_parameter(WEIGHT).register_hook(lambda g: g * math.nan if self.bad else g)

    def on_train_batch_end(self, ctx: Any) -> None:
        self.bad = self.chosen and ctx.step == 1


def settings(model: str, data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fits by name."""
    searched = {k: data[k] for k in ("query_data", "index_data", "qrels")}
    common = {"model": model, "precision": "fp32", "learning_rate": 1e-3, "device": "cpu"}
    pairs = {**common, "train_data": data["train_data"], "batch_size": 8, "limit": 5, **searched}
    spoils = Spoils(model)
    labelled = [{"text": t, "label": t.split()[-1]} for t in data["texts"]]
    return {
        "pairs": {**pairs, "epochs": 2, "val_split": 0.2, "evaluate_every": 3},
        "micro": {**pairs, "epochs": 1, "micro_batch": 2, "patience": 1},
        "labels": {
            **common,
            "train_data": labelled,
            "query_data": labelled,
            "loss": "ArcFace",
            "batch_size": 6,
            "items_per_class": 3,
            "epochs": 2,
            "limit": 5,
        },
        "stopped": {**pairs, "epochs": 5, "callbacks": [Stops()]},
        "short": {**pairs, "train_data": data["few"], "batch_size": 3, "epochs": 1, "limit": 40},
        "wise": {**pairs, "epochs": 1, "callbacks": [nearer.WiSEFT(alphas=[0.0, 0.5, 1.0])]},
        "skipped": {
            **pairs,
            "model": spoils.model,
            "epochs": 1,
            "on_nonfinite": "skip",
            "callbacks": [spoils],
        },
    }


def run(folder: Path, model: str, data: dict[str, Any]) -> dict[str, Any]:
    """Run every fit and say what it did."""
    done = {}
    for name, options in settings(model, data).items():
        losses, everywhere = Losses(), Everywhere()
        callbacks = [*options.pop("callbacks", ()), losses, everywhere]
        result = nearer.fit(**options, callbacks=callbacks, name=name, runs_dir=folder / "runs")
        weights = [p.detach().double().sum().item() for p in result.model().parameters()]
        done[name] = {
            "losses": losses.losses,
            "steps": everywhere.steps,
            "history": [point["metrics"] for point in result.history],
            "stopped": [result.stop_reason.kind, result.stop_reason.detail],
            "processes": result.record["processes"],
            "skipped": result.record["skipped_batches"],
            "weights": weights,
            "wise_ft": result.record["wise_ft"],
        }
    return done


class Comes(nearer.Callback):
    """Interrupts the first process after a step, once."""

    after: ClassVar[int] = 0

    def on_train_batch_end(self, ctx: Any) -> None:
        if ctx.step == self.after:
            Comes.after = 0
            os.kill(os.getpid(), signal.SIGINT)


def resumed(folder: Path, model: str, data: dict[str, Any]) -> dict[str, list[Any]]:
    """What a run with dropout leaves: one that nobody interrupts, and one that is gone on with."""
    options = settings(model, data)["pairs"] | {"runs_dir": folder / "resumed"}
    found = {}
    for name, after in (("whole", 0), ("cut", 5)):
        Comes.after = after
        given = {**options, "name": name, "callbacks": [Comes()]}
        try:
            result = nearer.fit(**given)
        except nearer.Interrupted:
            result = nearer.fit(**given, resume=True)
        digest = hashlib.sha256()
        for weights in result.model().parameters():
            digest.update(weights.detach().numpy().tobytes())
        history = [{**point, "seconds": 0} for point in result.history]
        found[name] = [digest.hexdigest(), history, result.record["steps"]]
    return found


def exchanges() -> dict[str, Any]:
    """What the processes say to each other, apart from any fit."""
    import torch

    world = Several(torch.device("cpu")) if "RANK" in os.environ else ALONE
    own = np.arange(3 * world.rank, dtype=np.int64).reshape(-1, 3)
    one, two, three = (torch.nn.Parameter(torch.ones(2)) for _ in range(3))
    one.grad = torch.full((2,), 1.0 + world.rank)
    three.grad = torch.full((2,), 5.0 + world.rank)
    world.sum_gradients([one, two], [three])
    with world.alike(7):
        drawn = torch.rand(1).item()
    return {
        "first": world.first(None, f"reason {world.rank}", "x" if world.rank else None),
        "arrays": [part.tolist() for part in world.arrays(own)],
        "broadcast": world.broadcast({"rank": world.rank}),
        "gradients": [None if p.grad is None else p.grad.tolist() for p in (one, two, three)],
        "alike": drawn,
    }


def main() -> None:
    """Run all of it in this process."""
    folder, model, data = Path(sys.argv[1]), sys.argv[2], json.loads(Path(sys.argv[3]).read_text())
    codes = [command_line(words) for words in data["commands"]]
    found = {"codes": codes, "fits": run(folder, model, data), "exchanges": exchanges()}
    found["resumed"] = resumed(folder, data["with_dropout"], data)
    (folder / f"rank{os.environ.get('RANK', '0')}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
