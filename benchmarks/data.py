"""Large training data: seconds to the first step and memory, the first time and the second.

    python benchmarks/data.py [--quick] [--json] [--rows N] [--format parquet|csv|jsonl]

Rows are generated: pairs of texts of 3 to 6 and 6 to 12 words, nearly all different, 10 million of
them (`--quick`: 200,000). The model is the tests' tiny BERT, so that a step costs nothing. Memory
is beyond that of the imports: anonymous memory, which the machine cannot take back, and all that is
resident, pages of mapped files included, which it can. Linux only.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from common import Row, main
from data_child import start

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

LIMIT = 5.0
PIECE = 200_000


def piece(rows: int, seed: int, words: pa.Array) -> pa.Table:
    """Some rows; the same seed gives the same ones."""
    random = np.random.default_rng(seed)

    def texts(least: int, most: int) -> pa.Array:
        lengths = random.integers(least, most + 1, rows)
        drawn = words.take(pa.array(random.integers(0, len(words), int(lengths.sum()))))
        ends = np.r_[0, np.cumsum(lengths)].astype(np.int32)
        return pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), drawn), " ")

    return pa.table({"query": texts(3, 6), "document": texts(6, 12)})


def generate(path: Path, rows: int) -> float:
    """Write rows in the form of the path's suffix; gives bytes of text a row."""
    from support.tiny import WORDS

    # Also words of letters and digits, so that nearly all texts differ.
    words = pa.array([*WORDS, *(f"{w[:3]}{i}" for i, w in enumerate(WORDS))])
    writer, size = None, 0
    with path.open("wb") as file:
        for first in range(0, rows, PIECE):
            table = piece(min(PIECE, rows - first), first, words)
            size += sum(pc.sum(pc.binary_length(c)).as_py() for c in table.columns)
            if path.suffix == ".jsonl":
                table.to_pandas().to_json(file, orient="records", lines=True)
                continue
            if writer is None:
                kinds = {".csv": pyarrow.csv.CSVWriter, ".parquet": pyarrow.parquet.ParquetWriter}
                writer = kinds[path.suffix](file, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
    return size / rows


def measure(arguments: argparse.Namespace) -> list[Row]:
    from support.tiny import save_tiny_bert

    many = int(arguments.rows or (200_000 if arguments.quick else 10_000_000))
    few = many // 10
    form = arguments.format
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = save_tiny_bert(folder)
        data = {rows: folder / f"{rows}.{form}" for rows in (many, few)}
        width, _ = (generate(path, rows) for rows, path in data.items())
        runs, cache = folder / "runs", folder / "cache"
        first, second = (start(model, data[many], runs, cache) for _ in range(2))
        first_few, second_few = (start(model, data[few], runs, cache) for _ in range(2))
        plain = start(model, data[few], runs, cache, size="0")
    goal = None if arguments.quick else 1.0
    agree = first["loss"] == second["loss"]
    agree_few = first_few["loss"] == second_few["loss"] == plain["loss"]
    tenth = f"{few:,} rows"
    rows = [
        Row(
            f"second start, {many:,} rows of {form}: seconds to the first step",
            "the goal",
            second["seconds"],
            LIMIT,
            LIMIT / second["seconds"],
            goal,
            agree,
        )
    ]
    named = {"first": (first, first_few, agree), "second": (second, second_few, agree)}
    for which, (one, other, same) in named.items():
        rows.append(_row(f"{which} start, {many:,} rows: seconds", tenth, "seconds", one, other))
        for kind in ("anonymous", "resident"):
            rows.append(_row(f"{which} start, {many:,} rows: {kind} MB", tenth, kind, one, other))
        grown = (one["anonymous"] - other["anonymous"]) * 2**20 / (many - few)
        grown = max(grown, 0.1)
        what = f"{which} start: bytes of memory for one more row"
        goal = None if arguments.quick else 4.0
        rows.append(Row(what, "its text", grown, width, width / grown, goal, same))
    in_memory = "in memory, tokenised batch by batch"
    for kind in ("seconds", "anonymous"):
        name = f"second start, {tenth}: {kind}"
        row = _row(name, in_memory, kind, second_few, plain)
        rows.append(Row(**{**vars(row), "agree": agree_few}))
    return rows


def _row(name: str, peer: str, key: str, one: dict, other: dict) -> Row:
    ours, theirs = max(one[key], 0.1), max(other[key], 0.1)
    return Row(name, peer, ours, theirs, theirs / ours, None, None)


if __name__ == "__main__":
    main("data", measure, rows=None, format="parquet")
