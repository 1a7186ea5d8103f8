"""What checkpoints cost: time of training, room on disk, and how soon a resumed run trains.

    python benchmarks/checkpoint.py [--quick] [--json] [--rows N] [--every 5min]

MiniLM on medquad. One checkpoint is timed on its own: the copy on the training thread, which a
step waits for, and the writing on another thread, whose time is counted as lost too, as if nothing
else could run beside it. Their share of the cadence is the most that checkpoints can cost; then
runs with checkpoints every 20 seconds and without take turns. Last, a run is interrupted and
resumed, from the call to the end of its first new step, against a run that begins anew.
"""

import argparse
import csv
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from common import DATA, Row, main

OFTEN = "20s"
ROUNDS = 3


def measure(arguments: argparse.Namespace) -> list[Row]:
    """Time a checkpoint, runs with and without, and a resume."""
    import nearer
    from nearer.run.cadence import read_cadence

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["NEARER_CACHE"] = str(folder / "cache")
        rows = int(arguments.rows) if arguments.rows else (1024 if arguments.quick else 4096)
        options = {**_task(folder, rows), "runs_dir": folder / "runs", "epochs": 1}
        single = _Single()
        timed = single.measure(nearer, options)
        cadence = read_cadence(arguments.every).amount
        share = (timed["copy"] + timed["write"]) / cadence
        found = [
            Row(
                f"checkpoint every {arguments.every}, share of the time at most (copy "
                f"{timed['copy']:.3f} s, writing {timed['write']:.3f} s)",
                "none",
                share,
                0.02,
                0.02 / max(share, 1e-9),
                1.0,
                None,
            ),
            Row("a checkpoint on disk, MB (two are kept)", "model", *timed["sizes"], None, None),
        ]
        if not arguments.quick:
            found.append(_turns(nearer, options))
        found.append(_resumed(nearer, options))
    return found


class _Single:
    """Times the parts of one checkpoint, as they are called in a run."""

    def measure(self, nearer: Any, options: dict[str, Any]) -> dict[str, Any]:
        from nearer.loop import keeping
        from nearer.run import keeper

        copies, writes, sizes = [], [], []
        take, write = keeping.take, keeper.write_checkpoint

        def timed_take(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            taken = take(*given, **named)
            copies.append(time.perf_counter() - began)
            return taken

        def timed_write(*given: Any) -> Path:
            began = time.perf_counter()
            path = write(*given)
            writes.append(time.perf_counter() - began)
            sizes.append(sum(file.stat().st_size for file in path.iterdir()))
            return path

        keeping.take, keeper.write_checkpoint = timed_take, timed_write
        try:
            run = nearer.fit(**options, name="single", checkpoint_every=4)
        finally:
            keeping.take, keeper.write_checkpoint = take, write
        model = sum(f.stat().st_size for f in run.artifact.rglob("*") if f.is_file())
        size = max(sizes)
        return {
            "copy": statistics.median(copies),
            "write": statistics.median(writes),
            "sizes": (size / 1e6, model / 1e6, model / size),
        }


def _turns(nearer: Any, options: dict[str, Any]) -> Row:
    """Whole runs with checkpoints far more often than by default, and without."""
    seconds: dict[str, list[float]] = {OFTEN: [], "never": []}
    for number in range(ROUNDS):
        for every, times in seconds.items():
            began = time.perf_counter()
            nearer.fit(**options, name=f"{every}{number}", checkpoint_every=every)
            times.append(time.perf_counter() - began)
    ours, theirs = (statistics.median(times) for times in seconds.values())
    what = f"a run with a checkpoint every {OFTEN}, seconds"
    return Row(what, "without", ours, theirs, theirs / ours, None, None)


def _resumed(nearer: Any, options: dict[str, Any]) -> Row:
    """From the call to the end of the first new step: resumed, and begun anew."""
    began: list[float] = [0.0]
    firsts: dict[str, float] = {}

    def first_step(name: str, interrupt: bool) -> Any:
        def note(ctx: Any) -> None:
            firsts.setdefault(name, time.perf_counter() - began[0])
            if interrupt and ctx.step == 3:
                os.kill(os.getpid(), signal.SIGINT)

        return nearer.LambdaCallback(on_train_batch_end=note)

    for name, interrupt in (("anew", True), ("resumed", False)):
        began[0] = time.perf_counter()
        given = {**options, "callbacks": [first_step(name, interrupt)], "name": "broken"}
        try:
            nearer.fit(**given, resume=name == "resumed")
        except nearer.Interrupted:
            continue
    ours, theirs = firsts["resumed"], firsts["anew"]
    what = "from the call to the first new step, seconds"
    return Row(what, "a run begun anew", ours, theirs, theirs / ours, None, None)


def _task(folder: Path, rows: int) -> dict[str, Any]:
    with (DATA / "medquad" / "train.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))[:rows]
    train = folder / "train.csv"
    with train.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["query", "document"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(read)
    return {"model": "minilm", "train_data": str(train)}


if __name__ == "__main__":
    main("checkpoint", measure, rows="", every="5min")
