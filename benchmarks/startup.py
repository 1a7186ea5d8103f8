"""How long a user waits before anything happens: `nearer --help` and `import nearer`.

python benchmarks/startup.py [--quick] [--json]
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from common import Row, main


def seconds(command: list[str], times: int) -> float:
    """Median seconds of a whole process."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def measure(arguments: argparse.Namespace) -> list[Row]:
    times = 5 if arguments.quick else 15
    python = sys.executable
    nearer = str(Path(python).with_name("nearer"))
    helped = seconds([nearer, "--help"], times)
    imported = seconds([python, "-c", "import nearer"], times)
    bare = seconds([python, "-c", "pass"], times)
    return [
        Row("nearer --help, seconds", "goal", helped, 0.3, 0.3 / helped, 1.0, None),
        Row("import nearer, seconds", "python itself", imported, bare, bare / imported, None, None),
    ]


if __name__ == "__main__":
    main("startup", measure)
