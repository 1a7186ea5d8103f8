"""Kills runs at random moments, goes on with them, and compares with runs that nobody killed.

    python tests/faults/kill.py [--kills 60] [--seed 0] [--model minilm] [--keep FOLDER]

Each run is a process of its own, forked from this one, which has imported everything: so a start
costs milliseconds. It is sent SIGKILL at a moment drawn over the whole time that an uninterrupted
run takes, its start, evaluations, writing of checkpoints and building of the artifact included;
every third run is killed three times. Then it is resumed until it ends. Weights, optimizer, random
numbers, history, ranks and the artifact's files have to be those of the run that was not killed,
bit for bit.

`--model minilm` trains the real model on a part of medquad (`NEARER_DATA`). Exit code 0 if all runs
are the same, else 1.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).parents[1]))

import nearer.run.execute  # noqa: F401  (imported once, for all that are forked)
from nearer.run.checkpoint import all_checkpoints, read_checkpoint
from nearer.run.verify import COMPARED, differences

DATA = Path(os.environ.get("NEARER_DATA", Path(__file__).parents[3] / "shared" / "data"))
CADENCES = ("epoch", 1, 3, "0.2s")
MOST_STARTS = 12
THRICE = 3


@dataclass(frozen=True)
class Killed:
    """What became of a run that was killed.

    Attributes:
        moments: Where it was each time.
        wrong: What differs from the run that nobody killed.
    """

    moments: tuple[str, ...]
    wrong: tuple[str, ...]


class Harness:
    """Runs of one kind, whole and killed.

    Args:
        folder: Where everything goes.
        options: Of the run.
    """

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.folder, self.options = folder, options
        self.runs = folder / "runs"
        self.seconds = 0.0

    def whole(self) -> None:
        """The run that nobody kills; how long it takes is what moments are drawn from."""
        self._end("warm", "epoch")  # what a first run finds on no disk yet
        began = time.monotonic()
        self._end("whole", "epoch")
        self.seconds = time.monotonic() - began

    def killed(self, name: str, times: int, draw: random.Random) -> Killed:
        """Kill a run some times, let it end, compare."""
        moments: list[str] = []
        every = draw.choice(CADENCES)
        for _ in range(MOST_STARTS):
            child = self._start(name, every, resume=self._there(name))
            time.sleep(draw.uniform(0, self.seconds))
            ended, _ = os.waitpid(child, os.WNOHANG)
            if ended:
                break  # it was quicker; what it left is compared all the same
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            moments.append(f"{self._stage(name)} (every {every})")
            if len(moments) == times:
                break
        self._end(name, every, resume=self._there(name))
        return Killed(tuple(moments), tuple(self._compared(name)))

    def _there(self, name: str) -> bool:
        return (self.runs / "default" / name / "run.json").is_file()

    def _stage(self, name: str) -> str:
        """Where a run was when it was killed."""
        folder = self.runs / "default" / name
        if not self._there(name):
            return "before it had a folder"
        log = (folder / "log.txt").read_text() if (folder / "log.txt").is_file() else ""
        since = log.rsplit("of experiment", 1)[-1]
        writing = any((folder / "checkpoint").glob(".*.tmp"))
        if "Building the artifact" in since:
            return "building the artifact"
        if writing:
            return "writing a checkpoint"
        return "training" if "Epoch " in since or "Going on" in since else "before training"

    def _start(self, name: str, every: Any, resume: bool) -> int:
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            out = os.open(self.folder / f"{name}.out", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            os.dup2(out, 1)
            os.dup2(out, 2)
            os.environ["NEARER_CACHE"] = str(self.folder / "cache" / name)
            self._fit(name, every, resume)
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _fit(self, name: str, every: Any, resume: bool) -> None:
        import nearer
        from nearer.run.resume import Resumption

        # The last checkpoint stays, so that the optimizer can be compared.
        Resumption.forget = lambda self, folder, world: None  # type: ignore[method-assign]
        nearer.fit(
            **self.options, name=name, runs_dir=self.runs, checkpoint_every=every, resume=resume
        )

    def _end(self, name: str, every: Any, resume: bool = False) -> None:
        _, status = os.waitpid(self._start(name, every, resume), 0)
        if os.waitstatus_to_exitcode(status):
            said = (self.folder / f"{name}.out").read_text()
            raise RuntimeError(f"{name} failed:\n{said[-3000:]}")

    def _compared(self, name: str) -> list[str]:
        folders = [self.runs / "default" / one for one in ("whole", name)]
        found = []
        parts = {
            "artifact": _artifact,
            "history": _history,
            "losses": _losses,
            "ranks": _ranks,
        }
        for what, of in parts.items():
            if of(folders[0]) != of(folders[1]):
                found.append(what)
        kept = [_last(folder) for folder in folders]
        if kept[0]["loop"] == kept[1]["loop"]:
            for part in COMPARED:
                found += differences(kept[0][part], kept[1][part], part)
        return found


def _artifact(folder: Path) -> dict[str, str]:
    artifact = folder / "artifact"
    return {
        path.relative_to(artifact).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in artifact.rglob("*")
        if path.is_file() and path.name != "nearer.json"
    }


def _history(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{**line, "seconds": None} for line in lines]


def _losses(folder: Path) -> bytes:
    return (folder / "losses.json").read_bytes()


def _ranks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "ranks").iterdir()}


def _last(folder: Path) -> Any:
    return read_checkpoint(all_checkpoints(folder / "checkpoint")[-1])["fit"]


def tiny(folder: Path) -> dict[str, Any]:
    """A small task: a BERT of two layers, with dropout, on 60 pairs."""
    from support.tiny import save_tiny_bert

    kinds = ["shoes", "boots", "hat", "coat", "shirt"]
    colours = ["red", "green", "blue", "warm"]
    pairs = [(f"cheap {k} in {c}", f"the best {c} {k} for winter") for k in kinds for c in colours]
    task = _files(folder, pairs * 3, pairs)
    model = str(save_tiny_bert(folder / "model"))
    return {**task, "model": model, "epochs": 4, "batch_size": 8, "learning_rate": 5e-3}


def minilm(folder: Path, rows: int = 128) -> dict[str, Any]:
    """The real model on a part of medquad."""
    with (DATA / "medquad" / "train.csv").open(newline="", encoding="utf-8") as file:
        read = [(row["query"], row["document"]) for row in csv.DictReader(file)]
    pairs = list(dict(read[:: max(1, len(read) // rows)]).items())
    task = _files(folder, pairs, pairs[:50])
    return {**task, "model": "minilm", "epochs": 2, "batch_size": 16, "max_length": 32}


def _files(
    folder: Path, train: list[tuple[str, str]], asked: list[tuple[str, str]]
) -> dict[str, Any]:
    paths = {name: folder / f"{name}.jsonl" for name in ("train", "queries", "corpus")}
    rows: dict[str, list[dict[str, str]]] = {
        "train": [{"query": q, "document": d} for q, d in train],
        "queries": [{"id": f"q{i}", "text": q} for i, (q, _) in enumerate(asked)],
        "corpus": [{"id": f"d{i}", "text": d} for i, (_, d) in enumerate(asked)],
    }
    for name, path in paths.items():
        path.write_text("".join(json.dumps(row) + "\n" for row in rows[name]))
    qrels = folder / "qrels.tsv"
    lines = [f"q{i}\td{i}\t1\n" for i in range(len(asked))]
    qrels.write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    return {
        "train_data": str(paths["train"]),
        "query_data": str(paths["queries"]),
        "index_data": str(paths["corpus"]),
        "qrels": str(qrels),
        "val_split": 0.1,
        "patience": 3,
        "training_memory": "1GiB",  # "auto" is what happens to be free
    }


MODELS: dict[str, Callable[[Path], dict[str, Any]]] = {"tiny": tiny, "minilm": minilm}


def kill(
    kills: int, seed: int, model: str, folder: Path, say: Callable[[str], None] = print
) -> bool:
    """Kill so many runs; whether all of them ended as the one that was not killed."""
    harness = Harness(folder, MODELS[model](folder))
    harness.whole()
    say(f"An uninterrupted run takes {harness.seconds:.1f} s")
    draw, same, stages, number = random.Random(seed), 0, Counter[str](), 0
    done = 0
    while done < kills:
        number += 1
        name = f"killed{number}"
        times = THRICE if number % THRICE == 0 else 1
        killed = harness.killed(name, times, draw)
        if killed.moments:
            done += 1
            same += not killed.wrong
            stages.update(moment.partition(" (")[0] for moment in killed.moments)
        if killed.wrong:
            moments = "; ".join(killed.moments) or "never killed"
            say(f"{name}, {moments}: differs in {', '.join(killed.wrong[:5])}")
        shutil.rmtree(harness.runs / "default" / name)
        shutil.rmtree(folder / "cache" / name, ignore_errors=True)
    where = ", ".join(f"{count} {stage}" for stage, count in stages.most_common())
    say(f"{sum(stages.values())} kills: {where}")
    say(f"{same} of {done} runs ended as the one that was not killed")
    return same == done


def main() -> int:
    """Parse, kill, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=60, help="runs that are killed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", choices=sorted(MODELS), default="tiny")
    parser.add_argument("--keep", type=Path, help="a folder for everything; default: one that goes")
    arguments = parser.parse_args()
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True)
        good = kill(arguments.kills, arguments.seed, arguments.model, arguments.keep.absolute())
    else:
        with tempfile.TemporaryDirectory() as folder:
            good = kill(arguments.kills, arguments.seed, arguments.model, Path(folder))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
