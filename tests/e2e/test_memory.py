"""An evaluation against an index that is never there as a whole stays within its budget."""

import json
import subprocess
import sys

import pytest

MEGABYTE = 1 << 20
BUDGET = 256 * MEGABYTE

PROGRAM = """
import json, re, resource, time
from pathlib import Path
import numpy as np
from nearer.evaluation.relevance import JudgedRelevance
from nearer.evaluation.scoring import Measure, score_index

QUERIES, ROWS, DIMENSION, BLOCK, EVERY = 5_000, 200_000, 384, 8_192, 40
rng = np.random.default_rng(0)

def unit(n):
    x = rng.standard_normal((n, DIMENSION), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x

queries = unit(QUERIES)

def blocks():
    for start in range(0, ROWS, BLOCK):
        rows = np.arange(start, min(start + BLOCK, ROWS))
        x = unit(len(rows))
        own = rows[rows % EVERY == 0]  # every 40th row answers a query
        x[own - start] += 0.5 * queries[own // EVERY]
        yield start, x

def kilobytes(field):
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(field + r":\\s*(\\d+) kB", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # macOS: the peak, in bytes

before = kilobytes("VmRSS")  # what is there now, and not the peak of the imports
numbers = np.arange(QUERIES)
relevance = JudgedRelevance(QUERIES, numbers, numbers * EVERY, np.ones(QUERIES))
measure = Measure(limit=20, memory_budget=BUDGET)
began = time.perf_counter()
result = score_index(queries, blocks(), ROWS, relevance, None, measure, None, began)
print(json.dumps({"extra": 1024 * (kilobytes("VmHWM") - before), "hit": result.metrics["hit_at_k"],
                  "index": result.index, "seconds": result.seconds}))
"""


@pytest.mark.slow
def test_5000_queries_against_200000_streamed_rows() -> None:
    code = PROGRAM.replace("BUDGET", str(BUDGET))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["index"] == 200_000
    assert result["hit"] > 0.99
    assert result["extra"] < BUDGET + 100 * MEGABYTE, f"{result['extra'] / MEGABYTE:.0f} MB"
