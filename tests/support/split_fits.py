"""Fits with a model that is whole, and with one that is split; each leaves what it did as JSON.

python split_fits.py FOLDER DATA.json
"""

import copy
import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import nearer
from nearer.loop import trainer
from nearer.loop.optim import build_optimizer, optimizer_names
from nearer.loop.split import UNFIT, Split, own_part
from nearer.loop.split import whole as all_of
from nearer.loop.state import FitConfig
from nearer.run import forecast

LAUNCHED = "RANK" in os.environ


class Watches(nearer.Callback):
    """Keeps the loss of every batch and how much of the weights this process holds."""

    every_process = True

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.held = self.whole = 0

    def on_train_batch_end(self, ctx: Any) -> None:
        self.losses.append(ctx.batch_loss)
        weights = list(ctx.encoder.module.parameters())
        self.held = sum(own_part(p).numel() for p in weights)
        self.whole = sum(p.numel() for p in weights)


class Idle:
    """Counts the passes that are made for the others' sake."""

    def __init__(self) -> None:
        self.passes = 0
        self._joined = Split._join_forward

    def __enter__(self) -> "Idle":
        idle = self

        def counted(split: Split, graph: bool) -> None:
            idle.passes += 1
            idle._joined(split, graph)

        Split._join_forward = counted  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Split._join_forward = self._joined  # type: ignore[method-assign]


class Asks(nearer.Callback):
    """Wants the weights in the middle of an epoch, and all that learns is in what it gets.

    It lives in the first process: the others know nothing of it.
    """

    def __init__(self) -> None:
        self.sums: list[float] = []

    def on_train_batch_end(self, ctx: Any) -> None:
        if ctx.step % 2:
            self.sums.append(sum(w.double().sum().item() for w in ctx.weights().values()))

    def on_val_batch_end(self, ctx: Any) -> None:
        ctx.weights()  # while the others are in a pass without a graph

    def on_metrics(self, ctx: Any) -> None:
        ctx.encode(ctx.encoder, ["a hat of my own"], "query")  # and they go on to copy weights


class Interrupts(nearer.Callback):
    """Interrupts the first process after a step, once."""

    after: ClassVar[int] = 0

    def on_train_batch_end(self, ctx: Any) -> None:
        if ctx.step == self.after:
            Interrupts.after = 0
            os.kill(os.getpid(), signal.SIGINT)


def settings(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fits by name. The passages are of many lengths, so that there are many micro-batches."""
    searched = {k: data[k] for k in ("query_data", "index_data", "qrels")}
    common = {
        "train_data": data["train_data"],
        "precision": "fp32",
        "learning_rate": 1e-3,
        "device": "cpu",
        "batch_size": 8,
        "limit": 5,
        "epochs": 1,
        **searched,
    }
    one = {**common, "model": data["model"]}
    towers = {"query_model": data["model"], "index_model": data["other"]}
    return {
        "plain": {
            **one,
            "batch_size": 7,
            "epochs": 2,
            "val_split": 0.2,
            "evaluate_every": 3,
            "patience": 1,
        },
        "two passes": {**one, "batch_size": 30, "epochs": 3, "training_memory": "1MiB"},
        "micro": {**one, "batch_size": 7, "micro_batch": 1, "cutoffs": [1]},
        "head": {**one, "output_dim": 16, "head": "mlp", "matryoshka_dims": [16, 8]},
        "lora": {**one, "lora": {"rank": 4, "merge": False}},
        "frozen": {**one, "freeze": 1, "layer_decay": 0.9},
        "towers": {**common, **towers, "output_dim": 16, "batch_size": 7, "micro_batch": 1},
        "one tower": {**common, **towers, "output_dim": 16, "freeze": "index"},
        "few": {**one, "train_data": data["few"], "batch_size": 3, "limit": 40},
        "sgd": {**one, "optimizer": "SGD", "clip_norm": 0},
        "wise": {**one, "callbacks": [nearer.WiSEFT(alphas=[0.0, 0.5, 1.0])]},
        "asked": {**one, "callbacks": [Asks()], "val_split": 0.2, "patience": 1},
        "one pass": {**one, "train_data": data["labelled"], "batch_size": 6, "items_per_class": 3},
    }


def run(folder: Path, data: dict[str, Any]) -> dict[str, Any]:
    """Run every fit and say what it did."""
    done = {}
    for name, options in settings(data).items():
        watches = Watches()
        callbacks = [*options.pop("callbacks", ()), watches]
        name_of_run = name.replace(" ", "-")
        options |= {"callbacks": callbacks, "name": name_of_run, "runs_dir": folder / "runs"}
        with Idle() as idle:
            result = nearer.fit(**options, shard=LAUNCHED)
        asked = [c.sums for c in callbacks if isinstance(c, Asks)]
        texts = data["index_data"][:5]
        done[name] = {
            "losses": watches.losses,
            "held": watches.held,
            "whole": watches.whole,
            "asked": asked,
            "history": [point["metrics"] for point in result.history],
            "embeddings": nearer.encode(result.artifact, [t["text"] for t in texts]).tolist(),
            "wise_ft": result.record["wise_ft"],
            "idle": idle.passes,
            "forecast": result.record.get("forecast"),
        }
    return done


def resumed(folder: Path, data: dict[str, Any]) -> dict[str, list[Any]]:
    """What a run with dropout leaves: one that nobody interrupts, and one that is gone on with."""
    options = settings(data)["plain"] | {"model": data["with_dropout"]}
    options |= {"runs_dir": folder / "resumed", "shard": True}
    found = {}
    for name, after in (("whole", 0), ("cut", 5)):
        Interrupts.after = after
        given = {**options, "name": name, "callbacks": [Interrupts()]}
        try:
            result = nearer.fit(**given)
        except nearer.Interrupted:
            result = nearer.fit(**given, resume=True, verify=False)
        digest = hashlib.sha256()
        for weights in result.model().parameters():
            digest.update(weights.detach().numpy().tobytes())
        history = [{**point, "seconds": 0} for point in result.history]
        found[name] = [digest.hexdigest(), history, result.record["steps"]]
    return found


def optimizers() -> dict[str, float]:
    """How far weights that are split end from whole ones after some steps, by optimizer."""
    torch.manual_seed(0)
    came = nn.Sequential(nn.Embedding(51, 8), nn.Linear(8, 7), nn.LayerNorm(7))
    mesh, rank = init_device_mesh("cpu", (2,)), int(os.environ["RANK"])
    found = {}
    for name in sorted(set(optimizer_names()) - set(UNFIT)):
        whole, split = copy.deepcopy(came), copy.deepcopy(came)
        fully_shard(split, mesh=mesh)
        split.set_gradient_divide_factor(1.0)
        split.set_force_sum_reduction_for_comms(True)
        config = FitConfig(optimizer=name, learning_rate=1e-2)
        steps = [build_optimizer(module, nn.Module(), config) for module in (whole, split)]
        for _ in range(3):
            ids = torch.randint(0, 51, (8, 4))
            whole(ids).square().sum().backward()
            split(ids[4 * rank :][:4]).square().sum().backward()
            for step in steps:
                step.step()
                step.zero_grad()
        pairs = zip(whole.parameters(), split.parameters(), strict=True)
        found[name] = max((all_of(q) - p).abs().max().item() for p, q in pairs)
    return found


def main() -> None:
    """Run all of it in this process."""
    folder, data = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    trainer.TRAIN_BUDGET = forecast.TRAIN_BUDGET = data["budget"]
    found = {"fits": run(folder, data), "resumed": resumed(folder, data)}
    found["optimizers"] = optimizers()
    (folder / f"rank{os.environ.get('RANK', '0')}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
