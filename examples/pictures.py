"""Fine-tune on labelled pictures: those of one product should lie near each other.

python examples/pictures.py train.csv test.csv index.csv      (columns: image,label)
python examples/pictures.py --quick
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import nearer
from nearer import EvaluationCallback


def main(arguments: Sequence[str] | None = None) -> nearer.Run:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="train, test, index")
    parser.add_argument("--model", default="efficientnet-lite0", help="catalog name or hub id")
    parser.add_argument("--full", action="store_true", help="the backbone learns too")
    parser.add_argument("--quick", action="store_true", help="small generated pictures")
    options = parser.parse_args(arguments)
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            rows = toy_rows()
            model = small_model()
            return report(model, rows[::2], rows[1::2], rows[:3], 1, False, f"{folder}/runs")
    if len(options.files) != 3:
        parser.error("give three files, train, test and index, or --quick")
    train, test, index = map(Path, options.files)
    return report(options.model, train, test, index, 5, options.full)


def report(
    model: object,
    train: object,
    test: object,
    index: object,
    epochs: int,
    full: bool,
    runs_dir: str | None = None,
) -> nearer.Run:
    """Fine-tune: a head on the backbone as it came, or all of it."""
    learns = {} if full else {"freeze": "backbone", "output_dim": 256}
    run = nearer.fit(
        model=model,
        train_data=train,
        epochs=epochs,
        batch_size=64 if runs_dir is None else 6,
        callbacks=[EvaluationCallback(query_data=test, index_data=index, limit=10)],
        runs_dir=runs_dir,
        **learns,
    )
    before, after = run.metrics()["before"], run.metrics()["after"]
    for name in before:
        print(f"{name}: {before[name]:.5f} before, {after[name]:.5f} after")
    return run


def small_model() -> object:
    """A backbone that takes milliseconds, in the place of a pretrained one."""
    import torch
    from torch import nn

    class Colours(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3 * 4 * 4, 32)

        def prepare(self, items: list[bytes]) -> torch.Tensor:
            import io

            small = [Image.open(io.BytesIO(item)).resize((4, 4)) for item in items]
            return torch.tensor(np.stack(small), dtype=torch.float32).flatten(1) / 255

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return self.linear(batch)

    return Colours()


def toy_rows() -> list[dict[str, object]]:
    """Noise in three colours."""
    random = np.random.default_rng(0)
    rows = []
    for i in range(24):
        pixels = random.integers(0, 120, (32, 32, 3), dtype=np.uint8)
        pixels[..., i % 3] += 100
        rows.append({"image": Image.fromarray(pixels), "label": "red green blue".split()[i % 3]})
    return rows


if __name__ == "__main__":
    main()
