"""Which pictures are trained on as views, and that a view is a function of seed, epoch and row."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

import nearer
from nearer.data.batches import RandomBatches
from nearer.data.columns import read_examples
from nearer.encoder.augmentation import Augmentation
from nearer.run.augment import AugmentedBatches, augmentation_of
from nearer.run.door import check
from nearer.run.spec import parse


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, str]]:
    for i in range(4):
        Image.new("RGB", (4, 4), (60 * i, 0, 0)).save(tmp_path / f"{i}.png")
    return [{"image": str(tmp_path / f"{i}.png"), "label": str(i % 2)} for i in range(4)]


def augmentation(rows: Any, **options: Any) -> Augmentation | None:
    return augmentation_of(check(parse({"model": "resnet50", "train_data": rows, **options})))


def test_views_are_drawn_anew_for_each_epoch_and_the_same_when_begun_in_its_middle(
    rows: list[dict[str, str]],
) -> None:
    examples = read_examples(rows)
    batches = AugmentedBatches(RandomBatches(examples, 2, 7), ("image",), Augmentation(), 7)
    first, second = (list(batches.epoch(number)) for number in (1, 2))
    assert len(batches) == len(first) == 2
    (later,) = batches.epoch(2, start=1)
    assert later.columns[0].items == second[1].columns[0].items
    for batch, epoch in ((first[0], 1), (second[0], 2)):
        views, plain = list(batch.columns[0].items), examples.batch(batch.rows).columns[0]
        assert [view.seed for view in views] == [(7, epoch, row) for row in batch.rows.tolist()]
        assert [view.picture for view in views] == list(plain.items)
        np.testing.assert_array_equal(batch.columns[0].codes, plain.codes)


def test_labelled_pictures_are_augmented_where_the_backbone_learns(
    rows: list[dict[str, str]],
) -> None:
    assert augmentation(rows) == Augmentation()
    assert augmentation(rows, augment=False) is None
    assert augmentation(rows, augment={"flip": 0}) == Augmentation(flip=0)
    assert augmentation(rows, freeze="backbone", output_dim=4) is None
    of_texts = [{"text": f"a {i}", "image": row["image"]} for i, row in enumerate(rows)]
    assert augmentation(of_texts) is None
    assert augmentation(of_texts, augment=True) == Augmentation()
    texts = [{"text": f"a {i}", "label": str(i % 2)} for i in range(4)]
    assert augmentation(texts) is None


class Own(nn.Module):
    def prepare(self, items: list[Any]) -> Any:
        return items


def test_a_module_of_ones_own_gets_its_pictures_as_they_are(rows: list[dict[str, str]]) -> None:
    assert augmentation(rows, model=Own()) is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"freeze": "backbone", "output_dim": 4}, "would be another one at every epoch"),
        ({"model": Own()}, "augment: a module of your own prepares its pictures"),
        (
            {"train_data": [{"text": f"a {i}", "label": str(i % 2)} for i in range(4)]},
            "augment: list has no pictures",
        ),
    ],
)
def test_what_cannot_be_augmented_is_refused(
    options: dict[str, Any], says: str, rows: list[dict[str, str]]
) -> None:
    with pytest.raises(nearer.NearerError, match=says):
        augmentation(
            options.get("train_data", rows),
            augment=True,
            **{name: value for name, value in options.items() if name != "train_data"},
        )


def test_a_frozen_backbone_without_a_cache_may_see_views(rows: list[dict[str, str]]) -> None:
    options = {"freeze": "backbone", "output_dim": 4, "frozen_cache": 0}
    assert augmentation(rows, augment=True, **options) == Augmentation()
