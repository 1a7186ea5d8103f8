"""One start of a fit in a process of its own, up to its first step. Prints JSON.

python benchmarks/data_child.py MODEL DATA RUNS
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path


def start(model: Path, data: Path, runs: Path, cache: Path, size: str = "64GiB") -> dict:
    """Start a fit with a cache; its "seconds" count from before the process is there."""
    environment = {**os.environ, "NEARER_CACHE": str(cache), "NEARER_CACHE_SIZE": size}
    began = time.time()
    command = [sys.executable, __file__, str(model), str(data), str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    return {**found, "seconds": found["stepped"] - began}


def status(name: str) -> float:
    """A line of /proc/self/status, in megabytes."""
    found = re.search(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024


class Memory:
    """The most anonymous memory of this process, looked at a hundred times a second."""

    def __init__(self) -> None:
        self.most, self._stopped = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stopped.wait(0.01):
            self.most = max(self.most, status("RssAnon"))

    def __enter__(self) -> "Memory":
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of the imports
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stopped.set()
        self._thread.join()


def fit(model: str, data: str, runs: str) -> dict:
    import nearer
    from nearer.importing import process_is_ours, quick_imports

    process_is_ours()  # as the command `nearer fit` has it
    with quick_imports():
        import nearer.run.execute
        from nearer.callbacks import LambdaCallback

    out: dict = {}

    def stepped(ctx) -> None:
        out.update(stepped=time.time(), loss=ctx.batch_loss)
        out.update(anonymous=memory.most - before, resident=status("VmHWM") - resident)
        ctx.request_stop("the first step is done")

    before, resident = status("RssAnon"), status("VmRSS")
    with Memory() as memory:
        nearer.fit(
            model=model,
            train_data=data,
            epochs=1,
            batch_size=64,
            device="cpu",
            precision="fp32",
            runs_dir=runs,
            callbacks=[LambdaCallback(on_train_batch_end=stepped)],
        )
    return out


if __name__ == "__main__":
    print(json.dumps(fit(*sys.argv[1:])))
