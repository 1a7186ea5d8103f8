"""What every encoder must do, whatever it is made of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.tiny import Letters, save_tiny_bert, save_tiny_clip
from torch import nn

from nearer.artifact.manifest import Manifest
from nearer.artifact.store import kind_of, load_artifact, save_artifact
from nearer.encoder.embedding import embed_prepared, encode
from nearer.encoder.loading import EncoderOptions, load_encoder, load_towers, set_up
from nearer.encoder.packaged import build_packaged
from nearer.encoder.preprocessing import Preprocessing
from nearer.encoder.protocol import Encoder, Side
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.towers import TwoTowers
from nearer.encoder.vision import PictureEncoder

TEXTS = ["cheap red shoes", "rain", "the best warm coat for winter and for snow", "a hat", "hat"]
SIDES: tuple[Side, ...] = ("query", "document")

PICTURES = [
    Image.effect_noise((size, 48), 60).convert("RGB").point(lambda value, shift=size: value ^ shift)
    for size in (40, 50, 64, 90, 128)
]

TEXT_AND_PICTURE = ("clip", "siglip", "clip-head", "text-to-picture")
"""Encoders that embed texts as queries and pictures as documents."""

Make = Callable[[], Encoder]


@pytest.fixture(scope="module")
def other_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("other"), seed=1)


@pytest.fixture(scope="module")
def tiny_clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {kind: save_tiny_clip(folder, kind=kind) for kind in ("clip", "siglip")}


@pytest.fixture(
    params=[
        "sentence",
        "prompts",
        "head",
        "frozen",
        "module",
        "module-head",
        "towers",
        "spaces",
        "pictures",
        "pictures-head",
        *TEXT_AND_PICTURE,
    ]
)
def make(
    request: pytest.FixtureRequest, tiny_bert: Path, other_bert: Path, tiny_clips: dict[str, Path]
) -> Make:
    torch.manual_seed(0)
    sample = "a hat"
    makers: dict[str, Make] = {
        "sentence": lambda: load_encoder(tiny_bert),
        "prompts": lambda: load_encoder(
            tiny_bert, EncoderOptions(query_prompt="find: ", document_prompt="doc: ", max_length=12)
        ),
        "head": lambda: load_encoder(tiny_bert, EncoderOptions(output_dim=8)),
        "frozen": lambda: load_encoder(tiny_bert, EncoderOptions(freeze="backbone", output_dim=8)),
        "module": lambda: load_encoder(Letters()),
        "module-head": lambda: load_encoder(Letters(), EncoderOptions(output_dim=4, sample=sample)),
        "towers": lambda: load_towers(tiny_bert, other_bert, EncoderOptions()),
        "pictures": lambda: small_pictures(EncoderOptions()),
        "pictures-head": lambda: small_pictures(EncoderOptions(freeze="backbone", output_dim=8)),
        "spaces": lambda: load_towers(tiny_bert, other_bert, EncoderOptions(output_dim=8)),
    }
    clip, siglip = tiny_clips["clip"], tiny_clips["siglip"]
    makers |= {
        "clip": lambda: load_encoder(clip),
        "siglip": lambda: load_encoder(siglip),
        "clip-head": lambda: load_encoder(clip, EncoderOptions(freeze="backbone", output_dim=8)),
        "text-to-picture": lambda: TwoTowers(
            load_encoder(tiny_bert, EncoderOptions(output_dim=8)),
            small_pictures(EncoderOptions(freeze="backbone", output_dim=8)),
        ),
    }
    return makers[request.param]


def items_of(encoder: Encoder, side: Side = "query") -> list[Any]:
    """What an encoder embeds on a side."""
    if isinstance(encoder, TwoTowers):
        return items_of(encoder.towers[side])
    if isinstance(encoder, SentenceTransformerEncoder):
        both = "image" in encoder.model.modalities
        return PICTURES if both and side == "document" else TEXTS
    return PICTURES if isinstance(encoder, PictureEncoder) else TEXTS


def small_pictures(options: EncoderOptions) -> Encoder:
    """An EfficientNet without its pretrained weights, for pictures of 32 pixels."""
    encoder = build_packaged("efficientnet-lite0", weights=False)
    encoder.preprocessing = Preprocessing(32)
    return set_up(encoder, options)


@pytest.mark.parametrize("side", SIDES)
def test_embeddings_have_the_shape_and_type_that_was_promised(make: Make, side: Side) -> None:
    encoder = make()
    if kind_of(encoder) == "module":
        embed_prepared(encoder, encoder.prepare(items_of(encoder, side)[:1], side), side)
    vectors = encode(encoder, items_of(encoder, side), side)
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors, axis=0)) == len(TEXTS)
    assert encode(encoder, [], side).shape == (0, encoder.dimension)


@pytest.mark.parametrize("side", SIDES)
def test_in_eval_mode_the_same_gives_the_same(make: Make, side: Side) -> None:
    encoder = make()
    encoder.module.eval()
    prepared = encoder.prepare(items_of(encoder, side), side)
    first = embed_prepared(encoder, prepared, side)
    second = embed_prepared(encoder, encoder.prepare(items_of(encoder, side), side), side)
    assert torch.equal(first, second)
    assert encoder.fingerprint(side) == encoder.fingerprint(side)


@pytest.mark.parametrize("most", [1, 2, None])
def test_micro_batches_change_nothing_but_rounding(make: Make, most: int | None) -> None:
    encoder = make()
    encoder.module.eval()
    prepared = encoder.prepare(items_of(encoder), "query")
    rows = [
        encoder.embed(prepared.take(np.array([row])), "query").float() for row in range(len(TEXTS))
    ]
    whole = embed_prepared(encoder, prepared, "query", micro_batch=most)
    torch.testing.assert_close(whole, torch.cat(rows), atol=1e-6, rtol=1e-5)


def test_the_gradient_reaches_every_trainable_parameter(make: Make) -> None:
    encoder = make()
    encoder.module.train()
    total = torch.zeros(())
    for side in SIDES:
        vectors = embed_prepared(encoder, encoder.prepare(items_of(encoder, side), side), side)
        total = total + (vectors * torch.randn_like(vectors)).sum()
    total.backward()
    trainable = {n: p for n, p in encoder.module.named_parameters() if p.requires_grad}
    assert trainable
    # BERT has a pooler that mean pooling never asks; CLIP's own scale and bias are its loss's.
    unasked = (".pooler.", "logit_")
    without = [
        n for n, p in trainable.items() if p.grad is None and not any(u in n for u in unasked)
    ]
    assert not without
    frozen = [p for p in encoder.module.parameters() if not p.requires_grad]
    assert all(p.grad is None for p in frozen)


def test_what_is_saved_and_loaded_gives_identical_embeddings(make: Make, tmp_path: Path) -> None:
    encoder = make()
    with torch.no_grad():  # something that only the weights on disk can know
        for parameter in encoder.module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.01)
    encoder.module.eval()
    before = {
        side: embed_prepared(encoder, encoder.prepare(items_of(encoder, side), side), side)
        .detach()
        .numpy()
        for side in SIDES
    }
    kind = kind_of(encoder)
    manifest = Manifest(kind, encoder.name, "tiny", encoder.dimension)
    save_artifact(encoder, tmp_path / "artifact", manifest)
    empty: nn.Module | None = None
    prepare = None
    if isinstance(encoder, PictureEncoder):
        pass  # the catalog knows how to build it
    elif kind == "module":
        empty = Letters()
        prepare = empty.prepare
        if isinstance(encoder.module, nn.Sequential):
            empty = nn.Sequential(empty, nn.Linear(8, 4))
    loaded = load_artifact(tmp_path / "artifact", empty, prepare)
    assert (loaded.name, loaded.dimension) == (encoder.name, encoder.dimension)
    if isinstance(encoder, PictureEncoder):
        assert isinstance(loaded, PictureEncoder)
        loaded.preprocessing = encoder.preprocessing
    if isinstance(loaded, TwoTowers) and isinstance(loaded.towers["document"], PictureEncoder):
        loaded.towers["document"].preprocessing = Preprocessing(32)
    for side in SIDES:
        np.testing.assert_array_equal(encode(loaded, items_of(encoder, side), side), before[side])
        assert loaded.fingerprint(side).split("|")[1:] == encoder.fingerprint(side).split("|")[1:]


def test_saving_and_encoding_leave_modes_as_they_were(make: Make, tmp_path: Path) -> None:
    encoder = make()
    embed_prepared(encoder, encoder.prepare(items_of(encoder), "query"), "query")
    encoder.module.train()
    part = next(iter(encoder.module.children()))
    part.eval()
    modes = [m.training for m in encoder.module.modules()]
    encode(encoder, items_of(encoder), "query")
    encoder.save(tmp_path)
    assert [m.training for m in encoder.module.modules()] == modes
