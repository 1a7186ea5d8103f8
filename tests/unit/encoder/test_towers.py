"""Two towers: one space, files of their own, either frozen; texts beside pictures, CLIP."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from support.tiny import Letters, save_tiny_clip
from torch import nn

from nearer.artifact.manifest import Manifest
from nearer.artifact.store import load_artifact, save_artifact
from nearer.encoder.embedding import encode
from nearer.encoder.loading import EncoderOptions, load_encoder, load_towers, set_up
from nearer.encoder.packaged import build_packaged
from nearer.encoder.padding import padded_fully
from nearer.encoder.towers import TwoTowers
from nearer.errors import ModelError

TEXTS = ["red shoes", "a warm hat for snow", "rain"]


def trainable(module: nn.Module) -> list[str]:
    return [name for name, p in module.named_parameters() if p.requires_grad]


def test_T2_towers_of_one_model_never_overwrite_each_others_files(
    tiny_bert: Path, tmp_path: Path
) -> None:
    towers = load_towers(str(tiny_bert), str(tiny_bert), EncoderOptions(output_dim=8))
    with torch.no_grad():
        for side, shift in (("query", 0.1), ("document", -0.1)):
            for parameter in towers.towers[side].module.parameters():
                parameter.add_(shift * torch.randn_like(parameter))
    manifest = Manifest("towers", towers.name, "tiny", 8)
    save_artifact(towers, tmp_path / "artifact", manifest)
    loaded = load_artifact(tmp_path / "artifact")
    for side, folder in (("query", "query"), ("document", "index")):
        ours = encode(towers, TEXTS, side)
        np.testing.assert_array_equal(encode(loaded, TEXTS, side), ours)
        # Each tower is a model that sentence-transformers loads by itself.
        alone = SentenceTransformer(str(tmp_path / "artifact" / folder), device="cpu")
        np.testing.assert_allclose(alone.encode(TEXTS), ours, atol=1e-6)
    assert not np.allclose(encode(loaded, TEXTS, "query"), encode(loaded, TEXTS, "document"))


def test_T16_pretrained_weights_are_not_read_only_to_be_overwritten(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = build_packaged("efficientnet-lite0", weights=False)
    text = load_encoder(tiny_bert, EncoderOptions(output_dim=1280))
    towers = TwoTowers(text, pictures)
    save_artifact(towers, tmp_path / "artifact", Manifest("towers", towers.name, "tiny", 1280))

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("the pretrained weights were read")

    monkeypatch.setattr(torch, "load", refuse)
    loaded = load_artifact(tmp_path / "artifact")
    assert isinstance(loaded, TwoTowers)
    ours = dict(towers.module.state_dict())
    assert ours.keys() == loaded.module.state_dict().keys()
    for name, value in loaded.module.state_dict().items():
        assert torch.equal(value, ours[name]), name


@pytest.mark.parametrize("frozen", ["query", "index", "backbone", None])
def test_either_tower_or_both_backbones_can_be_frozen(tiny_bert: Path, frozen: str | None) -> None:
    options = EncoderOptions(output_dim=8, freeze=frozen)
    towers = load_towers(str(tiny_bert), str(tiny_bert), options)
    for name, side in (("query", "query"), ("index", "document")):
        learns = trainable(towers.towers[side].module)
        heads = [n for n in learns if "linear" in n]
        assert heads  # a new head always learns
        assert (learns == heads) == (frozen in (name, "backbone"))


@pytest.mark.parametrize(("frozen", "learning"), [("query", 1), ("index", 1), (2, 2), (None, 2)])
def test_towers_that_come_from_an_artifact_can_be_frozen_too(
    frozen: str | int | None, learning: int, tiny_bert: Path, tmp_path: Path
) -> None:
    made = load_towers(str(tiny_bert), str(tiny_bert), EncoderOptions(output_dim=8))
    save_artifact(made, tmp_path / "a", Manifest("towers", "mine", "tiny", 8))
    towers = set_up(load_artifact(tmp_path / "a"), EncoderOptions(freeze=frozen))
    assert isinstance(towers, TwoTowers)
    learns = {side: trainable(tower.module) for side, tower in towers.towers.items()}
    assert sum(map(bool, learns.values())) == learning
    if frozen == "query":
        assert not learns["query"]
    if frozen == 2:  # both layers of each; its head, which came with it, learns on
        assert not any("encoder.layer" in name for names in learns.values() for name in names)
        assert all(any("linear" in name for name in names) for names in learns.values())


def test_towers_in_two_spaces_are_refused_with_the_way_out(tiny_bert: Path) -> None:
    with pytest.raises(ModelError, match="32 dimensions and letters in 8; give output_dim"):
        load_towers(str(tiny_bert), Letters(), EncoderOptions(), index_sample="a hat")


def test_a_module_of_ones_own_is_tried_with_an_item_of_its_side(tiny_bert: Path) -> None:
    seen = []

    class Pictures(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 5)

        def prepare(self, items: list[Path]) -> torch.Tensor:
            seen.extend(items)
            return torch.zeros(len(items), 3)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return self.linear(batch)

    options = EncoderOptions(output_dim=4, sample="a hat")
    towers = load_towers(str(tiny_bert), Pictures(), options, index_sample=Path("hat.png"))
    assert seen == [Path("hat.png")]
    assert towers.dimension == 4


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_clip_is_one_encoder_and_its_artifact_needs_no_nearer(kind: str, tmp_path: Path) -> None:
    encoder = load_encoder(save_tiny_clip(tmp_path, kind=kind))
    paths = []
    for size in (20, 31):
        paths.append(tmp_path / f"{size}.png")
        Image.effect_noise((size, 24), 80).convert("RGB").save(paths[-1])
    save_artifact(
        encoder, tmp_path / "artifact", Manifest("sentence-transformers", kind, "tiny", 16)
    )
    alone = SentenceTransformer(str(tmp_path / "artifact"), device="cpu")
    pictures = [Image.open(path) for path in paths]
    np.testing.assert_allclose(alone.encode(TEXTS), encode(encoder, TEXTS, "query"), atol=1e-6)
    np.testing.assert_allclose(
        alone.encode(pictures), encode(encoder, paths, "document"), atol=1e-6
    )


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_a_text_is_embedded_alike_whatever_stands_beside_it(kind: str, tmp_path: Path) -> None:
    """SigLIP reads the last place and masks nothing, so that padding is part of the text."""
    encoder = load_encoder(save_tiny_clip(tmp_path, kind=kind))
    assert padded_fully(encoder.model) == (kind == "siglip")
    alone = encode(encoder, TEXTS[:1], "query")
    np.testing.assert_allclose(encode(encoder, TEXTS, "query")[:1], alone, atol=1e-6)
