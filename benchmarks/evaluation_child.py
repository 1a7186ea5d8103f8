"""One measurement in a process of its own, so that its peak memory is its own. Prints JSON.

python benchmarks/evaluation_child.py score ours|theirs CASE.npz
python benchmarks/evaluation_child.py growth ROWS QUERIES
"""

import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from evaluation_data import Case, Streamed, ours, sentence_transformers, unit


def in_child(*arguments: object) -> dict[str, float]:
    """Run this file; gives "seconds" and "megabytes" beyond what was there before the work."""
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    result: dict[str, float] = json.loads(done.stdout)
    return result


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Seconds of the block, and megabytes at its peak beyond what was there before."""
    out: dict[str, float] = {}
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of the imports
    before, began = peak(), time.perf_counter()
    yield out
    out["seconds"] = time.perf_counter() - began
    out["megabytes"] = max(1.0, peak() - before)  # less than one is noise


def peak() -> float:
    """Peak memory of this process, in megabytes."""
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024
    unit_of_it = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_of_it / 2**20


def score(side: str, path: Path) -> dict[str, float]:
    work = {"ours": ours, "theirs": sentence_transformers}[side](Case.load(path))
    with measured() as result:
        work()
    return result


def growth(rows: int, queries: int) -> dict[str, float]:
    from nearer.evaluation.search import search

    index = Streamed(rows)
    wanted = unit(np.random.default_rng(2).standard_normal((queries, 384), dtype=np.float32))
    with measured() as result:
        search(wanted, index, 20)
    result["seconds"] -= index.seconds
    return result


if __name__ == "__main__":
    if sys.argv[1] == "score":
        print(json.dumps(score(sys.argv[2], Path(sys.argv[3]))))
    else:
        print(json.dumps(growth(int(sys.argv[2]), int(sys.argv[3]))))
