"""A real ResNet-50, with random weights, from a folder to an artifact, as in the document."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from transformers import ConvNextImageProcessor, ResNetConfig, ResNetModel

import nearer
from nearer import EvaluationCallback

SHARED = os.environ.get("NEARER_DATA", Path(__file__).parents[3] / "shared" / "data")
DATA = Path(SHARED) / "grocery"
METRICS = (
    "average_precision",
    "dcg_at_k",
    "f1_score_at_k",
    "hit_at_k",
    "ndcg_at_k",
    "precision_at_k",
    "r_precision",
    "recall_at_k",
    "reciprocal_rank",
)


def save_resnet50(folder: Path, side: int) -> Path:
    """Write the architecture of microsoft/resnet-50 with random weights, and its processor."""
    torch.manual_seed(0)
    ResNetModel(ResNetConfig()).save_pretrained(folder)
    ConvNextImageProcessor(size={"shortest_edge": side}, crop_pct=0.875).save_pretrained(folder)
    return folder


def part_of(source: Path, target: Path, classes: list[str], each: int) -> Path:
    """Some rows of some classes of a CSV file of pictures, with absolute paths."""
    left = dict.fromkeys(classes, each)
    with source.open(newline="") as file, target.open("w", newline="") as to:
        out = csv.writer(to)
        out.writerow(["image", "label"])
        for row in csv.DictReader(file):
            if left.get(row["label"], 0):
                left[row["label"]] -= 1
                out.writerow([source.parent / row["image"], row["label"]])
    return target


def rgb(path: str) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="NEARER_DATA: grocery is not here")
def test_resnet50_from_pictures_to_an_artifact(tmp_path: Path) -> None:
    classes = ["Golden-Delicious", "Banana", "Kiwi"]
    train = part_of(DATA / "train.csv", tmp_path / "train.csv", classes, 4)
    queries = part_of(DATA / "val.csv", tmp_path / "queries.csv", classes, 2)
    index = part_of(DATA / "iconic.csv", tmp_path / "index.csv", classes, 1)
    run = nearer.fit(
        model=str(save_resnet50(tmp_path / "resnet50", 64)),
        train_data=str(train),
        callbacks=[EvaluationCallback(str(queries), str(index), num_example_queries=2)],
        epochs=1,
        batch_size=6,
        items_per_class=2,
        precision="fp32",
        runs_dir=tmp_path / "runs",
    )
    log = run.logs()
    before, after = run.metrics()["before"], run.metrics()["after"]
    for name in METRICS:
        key = f"resnet50_{name}"
        assert (
            f"Metric: '{key}' before fine-tuning: {before[key]:.5f} "
            f"after fine-tuning: {after[key]:.5f}"
        ) in log
    for line in ("Done ✨", "Finetuning took 0 days, 0 hours", "Building the artifact ..."):
        assert line in log
    with Image.open(run.folder / "examples.png") as grid:
        assert grid.format == "PNG"

    paths = [line.split(",")[0] for line in queries.read_text().splitlines()[1:]]
    alone = SentenceTransformer(str(run.artifact), device="cpu")
    vectors = alone.encode([rgb(path) for path in paths])
    ours = nearer.encode(str(run.artifact), str(queries))
    assert vectors.shape == (6, 2048)
    np.testing.assert_allclose(vectors, ours, atol=1e-5)
