"""Text finds pictures: two towers into one space, evaluated in both directions.

python examples/two_towers.py train.csv queries.jsonl corpus.jsonl qrels.tsv
python examples/two_towers.py --quick
"""

import argparse
import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

import nearer

COLOURS = ("red", "green", "blue", "black", "orange", "purple")
SHAPES = ("square", "circle", "bar", "frame")


def main(arguments: Sequence[str] | None = None) -> nearer.Run:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="train, queries, corpus, qrels")
    parser.add_argument("--text", default="minilm", help="model of the texts")
    parser.add_argument("--pictures", default="efficientnet-lite0", help="model of the pictures")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="drawn pictures, a tower from nothing")
    options = parser.parse_args(arguments)
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            files = draw_pictures(Path(folder))
            return report(files, f"{folder}/runs", options.text, Pixels(), freeze="query", epochs=8)
    if len(options.files) != 4:
        parser.error("give four files, train, queries, corpus and qrels, or --quick")
    towers = options.text, options.pictures
    return report(options.files, None, *towers, freeze="backbone", epochs=options.epochs)


def report(
    files: Sequence[str], runs_dir: str | None, text: Any, pictures: Any, freeze: str, epochs: int
) -> nearer.Run:
    """Train both towers into one space and print what each direction scores."""
    train, queries, corpus, qrels = files
    run = nearer.fit(
        query_model=text,
        index_model=pictures,
        output_dim=128,  # heads into one space
        freeze=freeze,  # what is frozen is computed once
        train_data=train,
        loss="InfoNCE",
        loss_options={"symmetric": True, "temperature": 0.1},
        query_data=queries,
        index_data=corpus,
        qrels=qrels,
        limit=10,
        both_directions=True,
        epochs=epochs,
        learning_rate=1e-3,
        runs_dir=runs_dir,
    )
    first, after = run.history[0]["metrics"], run.metrics()["after"]
    for name in (name for name in after if name.endswith(("ndcg_at_k", "hit_at_k"))):
        print(f"{name}: {first[name]:.3f} before, {after[name]:.3f} after")
    return run


class Pixels(nn.Module):
    """A small tower for small pictures, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 128), nn.ReLU())

    def prepare(self, paths: list[Path]) -> Tensor:
        """Decode pictures, on the CPU."""
        pixels = [Image.open(path).convert("RGB").resize((16, 16)).tobytes() for path in paths]
        rows = [torch.frombuffer(bytearray(one), dtype=torch.uint8) for one in pixels]
        return torch.stack(rows).float() / 127.5 - 1

    def forward(self, batch: Tensor) -> Tensor:
        """Embed a batch: shape (n, 128)."""
        embedding: Tensor = self.layers(batch)
        return embedding


def draw_pictures(folder: Path) -> list[str]:
    """Draw coloured shapes, two of each; the second ones are searched."""
    pairs = [(f"a {colour} {shape}", colour, shape) for colour in COLOURS for shape in SHAPES]
    for i, (_, colour, shape) in enumerate(pairs):
        for turn in range(2):
            picture = Image.new("RGB", (32, 32), "white")
            draw, box = ImageDraw.Draw(picture), [4 + 3 * turn, 6, 24 + 3 * turn, 26]
            if shape == "bar":
                box[3] = 12
            (draw.ellipse if shape == "circle" else draw.rectangle)(
                box, fill=None if shape == "frame" else colour, outline=colour, width=3
            )
            picture.save(folder / f"{i}-{turn}.png")
    rows: dict[str, list[tuple[Any, ...]]] = {
        "train.csv": [("text", "image"), *((t, f"{i}-0.png") for i, (t, *_) in enumerate(pairs))],
        "queries.csv": [("id", "text"), *((f"q{i}", t) for i, (t, *_) in enumerate(pairs))],
        "corpus.csv": [("id", "image"), *((f"d{i}", f"{i}-1.png") for i in range(len(pairs)))],
        "qrels.csv": [
            ("query-id", "corpus-id", "score"),
            *((f"q{i}", f"d{i}", 1) for i in range(len(pairs))),
        ],
    }
    for name, listed in rows.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(listed)
    return [str(folder / name) for name in rows]


if __name__ == "__main__":
    main()
