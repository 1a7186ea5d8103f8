"""Train any nn.Module: a bag of letter triples, from nothing, on generated misspellings.

python examples/custom_module.py --quick
"""

import argparse
import random
import tempfile
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

import nearer
from nearer import EarlyStopping, EvaluationCallback


class Trigrams(nn.Module):
    """The mean of the vectors of a text's letter triples, found by their hash."""

    def __init__(self, rows: int = 2048, dimension: int = 32) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, dimension, padding_idx=0)

    def prepare(self, texts: list[str]) -> dict[str, Tensor]:
        """Turn texts into a batch, on the CPU."""
        most = self.table.num_embeddings - 1
        triples = [
            [1 + zlib.crc32(f"  {t} "[i : i + 3].encode()) % most for i in range(len(t) + 1)]
            for t in texts
        ]
        padded = torch.zeros(len(texts), max(map(len, triples)), dtype=torch.int64)
        for row, codes in zip(padded, triples, strict=True):
            row[: len(codes)] = torch.tensor(codes)
        return {"triples": padded}

    def forward(self, triples: Tensor) -> Tensor:
        """Embed a batch: shape (n, dimension)."""
        count = (triples > 0).sum(dim=1, keepdim=True).clamp(min=1)
        mean: Tensor = self.table(triples).sum(dim=1) / count
        return mean


def main(arguments: Sequence[str] | None = None) -> nearer.Run:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer words and epochs")
    options = parser.parse_args(arguments)
    rng = random.Random(0)
    words = make_words(200 if options.quick else 2000, rng)
    half = len(words) // 2
    train = [{"query": misspell(w, rng), "document": w} for w in words[:half] for _ in range(4)]
    queries = [{"id": f"q{i}", "text": misspell(w, rng)} for i, w in enumerate(words[half:])]
    index = [{"id": f"d{i}", "text": w} for i, w in enumerate(words[half:])]
    qrels = [(f"q{i}", f"d{i}", 1) for i in range(len(index))]
    with tempfile.TemporaryDirectory() as folder:
        run = nearer.fit(
            model=Trigrams(),
            train_data=train,
            epochs=3 if options.quick else 20,
            learning_rate=0.01,
            runs_dir=f"{folder}/runs",
            callbacks=[EvaluationCallback(queries, index, qrels, limit=10), EarlyStopping()],
        )
        before, after = run.metrics()["before"], run.metrics()["after"]
        for name in before:
            print(f"{name}: {before[name]:.5f} before, {after[name]:.5f} after")
        encoder = nearer.load(run.artifact, module=Trigrams())
        print(nearer.encode(encoder, ["nearer"]).shape)
    return run


def make_words(count: int, rng: random.Random) -> list[str]:
    """Draw different words of three to five syllables."""
    words: dict[str, None] = {}
    while len(words) < count:
        syllables = range(rng.randint(3, 5))
        words["".join(rng.choice("bdfgklmnprst") + rng.choice("aeiou") for _ in syllables)] = None
    return list(words)


def misspell(word: str, rng: random.Random) -> str:
    """Leave out a letter, or swap two."""
    i = rng.randrange(len(word) - 1)
    if rng.random() < 0.5:
        return word[:i] + word[i + 1 :]
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]


if __name__ == "__main__":
    main()
