"""Views of a picture: what is drawn is a function of its seed, and stays a picture."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from nearer.encoder.augmentation import Augmentation, read_augmentation
from nearer.encoder.preprocessing import Preprocessing
from nearer.encoder.views import View

PICTURE = Image.effect_noise((60, 40), 80).convert("RGB")


def drawn(seed: tuple[int, int, int], **how: float) -> np.ndarray:
    return np.asarray(View(PICTURE, seed, Augmentation(**how)).of(PICTURE, 24))


def test_a_view_depends_on_seed_epoch_and_row_alone() -> None:
    views = [View(PICTURE, (7, 1, row), Augmentation()) for row in range(12)]
    prepare = Preprocessing(24)
    together = prepare(views)
    assert torch.equal(together, prepare(views))
    assert torch.equal(together[5:6], prepare(views[5:6]))
    with ThreadPoolExecutor(8) as pool:
        at_once = np.stack(list(pool.map(prepare.square, views)))
    np.testing.assert_array_equal(together.permute(0, 2, 3, 1).numpy(), at_once)
    others = [drawn(seed) for seed in ((7, 1, 0), (8, 1, 0), (7, 2, 0), (7, 1, 1))]
    assert len({other.tobytes() for other in others}) == 4


def test_what_is_asked_for_is_done() -> None:
    whole = np.asarray(PICTURE.resize((24, 24), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(drawn((1, 1, 1), crop=1, flip=0, colour=0), whole)
    np.testing.assert_array_equal(drawn((1, 1, 1), crop=1, flip=1, colour=0), whole[:, ::-1])
    lit = drawn((1, 1, 1), crop=1, flip=0, colour=0.5)
    assert lit.shape == whole.shape
    assert not np.array_equal(lit, whole)


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3)])
def test_pictures_of_any_shape_have_views(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size)
    for row in range(50):
        assert View(picture, (0, 1, row), Augmentation(crop=0.05)).of(picture).size[0] >= 1


def test_options_out_of_range() -> None:
    assert read_augmentation(True) == Augmentation()
    for options, says in (
        ({"crop": 0}, "crop 0; must be more than 0"),
        ({"flip": 2}, "flip 2; must be 0 to 1"),
        ({"color": 0.1}, 'has no "color"'),
    ):
        with pytest.raises(ValueError, match=says):
            read_augmentation(options)
