"""Picture models of the catalog: how they train, what is frozen, what an artifact brings back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from nearer.artifact.manifest import Manifest, read_manifest
from nearer.artifact.store import load_artifact, save_artifact
from nearer.encoder.embedding import encode
from nearer.encoder.frozen import FrozenPart, keep_frozen
from nearer.encoder.loading import EncoderOptions, load_encoder, load_towers, set_up
from nearer.encoder.packaged import build_packaged, rebuilt
from nearer.encoder.preprocessing import Preprocessing
from nearer.encoder.towers import TwoTowers
from nearer.encoder.vision import PictureEncoder
from nearer.errors import ModelError, SpecError
from nearer.loop.step import train_mode

PICTURES = [Image.effect_noise((size, 48), 60).convert("RGB") for size in (40, 64, 90)]


def small(**options: object) -> PictureEncoder:
    encoder = build_packaged("efficientnet-lite0", weights=False)
    encoder.preprocessing = Preprocessing(32)
    made = set_up(encoder, EncoderOptions(**options))  # type: ignore[arg-type]
    assert isinstance(made, PictureEncoder)
    return made


def test_training_leaves_the_averages_of_batch_normalisation_alone() -> None:
    encoder = small()
    train_mode(encoder.module)
    before = {name: buffer.clone() for name, buffer in encoder.module.named_buffers()}
    prepared = encoder.prepare(PICTURES, "query")
    encoder.embed(prepared.take(np.arange(3)), "query")
    assert all(torch.equal(before[n], b) for n, b in encoder.module.named_buffers())


def test_a_frozen_backbone_is_computed_once_for_each_picture() -> None:
    encoder = small(freeze="backbone", output_dim=8, head="mlp")
    kept = keep_frozen(encoder, {"query": PICTURES}, 1 << 20)
    assert isinstance(kept, FrozenPart)
    first = encode(kept, PICTURES, "query")
    np.testing.assert_allclose(first, encode(encoder, PICTURES, "query"), atol=1e-5)
    with torch.no_grad():  # what is kept is not computed again
        next(encoder.module[0].parameters()).zero_()  # type: ignore[index]
    np.testing.assert_array_equal(encode(kept, PICTURES, "query"), first)


def test_a_number_freezes_the_stem_and_that_many_blocks() -> None:
    encoder = small(freeze=3)
    learns = {n: p.requires_grad for n, p in encoder.module.named_parameters()}
    frozen = ("conv_stem", "network._bn0", "_blocks.0.", "_blocks.1.", "_blocks.2.")
    assert all(learn is not any(part in name for part in frozen) for name, learn in learns.items())


def test_an_artifact_says_how_it_is_built(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = build_packaged("efficientnet-lite0", "mine", "gem", weights=False)
    encoder = set_up(encoder, EncoderOptions(output_dim=8, head="mlp"))  # type: ignore[assignment]
    manifest = Manifest("module", "mine", "efficientnet-lite0", 8)
    save_artifact(encoder, tmp_path / "a", manifest)
    recipe = {"catalog": "efficientnet-lite0", "pooling": "gem", "heads": [["mlp", 8]]}
    assert read_manifest(tmp_path / "a").recipes == {".": recipe}
    assert 'encoder = nearer.load("path' in (tmp_path / "a" / "README.md").read_text()
    loaded = load_artifact(tmp_path / "a")
    for name, weight in encoder.module.state_dict().items():
        assert torch.equal(loaded.module.state_dict()[name], weight), name
    assert not any(m.training for m in loaded.module.modules())


@pytest.mark.parametrize(
    "recipe",
    [
        {"catalog": "minilm", "pooling": "mean", "heads": []},
        {"catalog": "efficientnet-lite0", "pooling": "sum", "heads": []},
        {"catalog": "efficientnet-lite0", "pooling": "mean", "heads": [["deep", 8]]},
    ],
)
def test_a_recipe_of_another_version(recipe: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="which this nearer cannot build"):
        rebuilt(recipe, "mine")


def test_the_pooling_of_a_model_that_is_built_is_not_changed() -> None:
    with pytest.raises(SpecError, match="cannot be changed"):
        small(pooling="max")


def test_the_head_that_came_is_told_from_a_new_one() -> None:
    encoder = small(output_dim=8)
    again = set_up(rebuilt(encoder.recipe, "mine"), EncoderOptions(output_dim=4))
    came = again.as_it_came()
    assert isinstance(came, PictureEncoder)
    assert (again.dimension, came.dimension) == (4, 8)
    assert came.recipe == encoder.recipe
    assert isinstance(came.module, nn.Sequential)


def test_padding_shows_the_whole_picture() -> None:
    """Red to the left, blue to the right, twice as wide as high: cropped, both ends are lost."""
    picture = Image.new("RGB", (40, 20), "white")
    picture.paste("red", (0, 0, 4, 20))
    picture.paste("blue", (36, 0, 40, 20))
    cropped, padded = (Preprocessing(40, framing=how)([picture])[0] for how in ("crop", "pad"))
    assert (cropped == 255).all()
    assert padded[:, 20, 1].tolist() == [255, 0, 0]
    assert padded[:, 20, -2].tolist() == [0, 0, 255]
    assert (padded[:, 2] == 255).all()  # white above
    tall = Preprocessing(40, framing="pad")([picture.transpose(Image.Transpose.ROTATE_90)])[0]
    assert tall[:, -2, 20].tolist() == [255, 0, 0]
    assert tall[:, 1, 20].tolist() == [0, 0, 255]


def test_an_artifact_keeps_its_framing(tmp_path: Path) -> None:
    plain = build_packaged("efficientnet-lite0", "mine", framing="pad", weights=False)
    encoder = set_up(plain, EncoderOptions(output_dim=8))
    save_artifact(encoder, tmp_path / "a", Manifest("module", "mine", "efficientnet-lite0", 8))
    loaded = load_artifact(tmp_path / "a")
    assert isinstance(loaded, PictureEncoder)
    assert loaded.preprocessing.framing == "pad"
    assert loaded.fingerprint("document") == encoder.fingerprint("document")
    with pytest.raises(SpecError, match="was trained with pad"):
        set_up(loaded, EncoderOptions(framing="crop"))


def test_framing_is_for_models_of_the_catalog(tiny_bert: Path) -> None:
    with pytest.raises(SpecError, match="frames its pictures itself"):
        load_encoder(tiny_bert, EncoderOptions(framing="pad"))


def test_of_two_towers_the_one_of_pictures_is_framed(tiny_bert: Path) -> None:
    towers = load_towers(
        str(tiny_bert), "efficientnet-lite0", EncoderOptions(output_dim=8, framing="pad")
    )
    tower = towers.towers["document"]
    assert isinstance(tower, PictureEncoder)
    assert tower.preprocessing.framing == "pad"
    assert isinstance(set_up(towers, EncoderOptions(framing="pad")), TwoTowers)
    with pytest.raises(SpecError, match="was trained with pad"):
        set_up(towers, EncoderOptions(framing="crop"))
    with pytest.raises(SpecError, match="frames its pictures itself"):
        load_towers(str(tiny_bert), str(tiny_bert), EncoderOptions(output_dim=8, framing="pad"))
