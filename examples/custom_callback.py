"""A callback of one's own: stop after so many seconds, and report the seconds at every evaluation.

python examples/custom_callback.py --quick
python examples/custom_callback.py train.csv --seconds 600 --model minilm
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence

import nearer
from nearer import Callback, MetricInfo


class TimeLimit(Callback):
    """End the fit after the step at which the time is up; report the seconds so far as a metric.

    Args:
        seconds: How long the fit may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def produces(self, model_name: str) -> Sequence[MetricInfo]:
        """Declared, so that it could be monitored."""
        return [MetricInfo("seconds", "min", "seconds")]

    def on_fit_begin(self, ctx: object) -> None:
        """State is set here, so that one instance serves many fits."""
        self.began = time.monotonic()

    def on_train_batch_end(self, ctx: "nearer.loop.context.Context") -> None:
        """Ask for the end; what follows from it is the loop's business."""
        if time.monotonic() - self.began > self.seconds:
            ctx.request_stop(f"{self.seconds} seconds are over at step {ctx.step}")

    def on_evaluate(self, ctx: object) -> Mapping[str, float]:
        """A metric of this point."""
        return {"seconds": time.monotonic() - self.began}


def main(arguments: Sequence[str] | None = None) -> nearer.Run:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", help="training data")
    parser.add_argument("--model", default="minilm", help="catalog name, hub id or folder")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--quick", action="store_true", help="small generated data")
    options = parser.parse_args(arguments)
    if options.quick:
        words = ["red", "green", "blue", "warm", "cold", "light", "heavy", "small"]
        rows = [
            {"query": f"cheap {a} {b} shoes", "document": f"the best shoes, {b} and {a}"}
            for a in words
            for b in words
            if a != b
        ]
        with tempfile.TemporaryDirectory() as folder:
            return report(options.model, rows, 0.2, f"{folder}/runs")
    if options.file is None:
        parser.error("give a file, or --quick")
    return report(options.model, options.file, options.seconds)


def report(model: str, data: object, seconds: float, runs_dir: str | None = None) -> nearer.Run:
    """Fine-tune for a while and print why it ended."""
    run = nearer.fit(
        model=model,
        train_data=data,
        val_split=0.2,
        epochs=1000,
        batch_size=8,
        runs_dir=runs_dir,
        callbacks=[TimeLimit(seconds)],
    )
    print(run.stop_reason)
    for point in run.history:
        print(point["epoch"], point["step"], point["metrics"])
    return run


if __name__ == "__main__":
    main()
