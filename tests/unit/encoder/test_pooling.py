"""How tokens and places become one vector."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from support.tiny import Letters

from nearer.encoder.embedding import encode
from nearer.encoder.loading import EncoderOptions, load_encoder
from nearer.encoder.pooling import MapPooling
from nearer.errors import SpecError


def test_the_power_of_gem_leads_from_mean_to_max() -> None:
    features = torch.rand(2, 3, 4, 4) + 0.1
    gem = MapPooling("gem")
    with torch.no_grad():
        gem.power.fill_(1.0)
        torch.testing.assert_close(gem(features), MapPooling("mean")(features))
        gem.power.fill_(60.0)
        torch.testing.assert_close(gem(features), MapPooling("max")(features), rtol=0.06, atol=0)
    gem(features).sum().backward()
    assert gem.power.grad is not None


def test_pooling_of_texts_is_changed_and_saved(tiny_bert: Path, tmp_path: Path) -> None:
    texts = ["cheap red shoes", "rain"]
    found = {}
    for name in ("mean", "max", "cls"):
        encoder = load_encoder(tiny_bert, EncoderOptions(pooling=name))  # type: ignore[arg-type]
        found[name] = encode(encoder, texts, "query")
        (tmp_path / name).mkdir()
        encoder.save(tmp_path / name)
        alone = SentenceTransformer(str(tmp_path / name), device="cpu")
        np.testing.assert_allclose(alone.encode(texts), found[name], atol=1e-6)
    assert not np.allclose(found["mean"], found["max"])
    assert not np.allclose(found["mean"], found["cls"])


def test_pooling_that_cannot_be(tiny_bert: Path) -> None:
    with pytest.raises(SpecError, match="gem is for convolutional maps"):
        load_encoder(tiny_bert, EncoderOptions(pooling="gem"))
    with pytest.raises(SpecError, match="that of letters cannot be changed"):
        load_encoder(Letters(), EncoderOptions(pooling="max"))
    with pytest.raises(SpecError, match="Take mean, max or gem"):
        MapPooling("cls")
