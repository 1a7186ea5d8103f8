"""How deep parameters lie, in real architectures built small from their configurations."""

import pytest
from support.tiny import Letters
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPModel,
    ResNetConfig,
    ResNetModel,
    SwinConfig,
    SwinModel,
    ViTConfig,
    ViTModel,
)

from nearer.encoder.depth import depths_of, rate_factors
from nearer.encoder.heads import with_head
from nearer.encoder.module import ModuleEncoder
from nearer.encoder.towers import TwoTowers
from nearer.errors import SpecError

SMALL = {
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 8,
}
BERT = BertConfig(vocab_size=9, **SMALL)
VIT = ViTConfig(image_size=8, patch_size=4, **SMALL)
CLIP = CLIPConfig(
    text_config={"vocab_size": 9, **SMALL},
    vision_config={**SMALL, "image_size": 8, "patch_size": 4, "num_hidden_layers": 2},
    projection_dim=4,
)
RESNET = ResNetConfig(embedding_size=4, hidden_sizes=[4, 4, 8, 8], depths=[1, 1, 2, 1])
SWIN = SwinConfig(image_size=32, patch_size=4, embed_dim=4, depths=[1, 6], num_heads=[1, 1])

CASES = {
    "bert": (
        BertModel(BERT),
        {
            "embeddings.word_embeddings.weight": 3,
            "encoder.layer.0.attention.self.query.weight": 2,
            "encoder.layer.2.output.dense.bias": 0,
            "pooler.dense.weight": 0,
        },
    ),
    "vit": (
        ViTModel(VIT),
        {"embeddings.cls_token": 3, "layernorm.weight": 0},
    ),
    "clip": (
        CLIPModel(CLIP),
        {
            "text_model.embeddings.token_embedding.weight": 3,
            "text_model.encoder.layers.0.mlp.fc1.weight": 2,
            "vision_model.embeddings.patch_embedding.weight": 2,
            "vision_model.encoder.layers.1.mlp.fc1.weight": 0,
            "vision_model.post_layernorm.weight": 0,
        },
    ),
    "resnet": (
        ResNetModel(RESNET),
        {
            "embedder.embedder.convolution.weight": 4,
            "encoder.stages.0.layers.0.layer.0.convolution.weight": 3,
            "encoder.stages.3.layers.0.layer.0.convolution.weight": 0,
        },
    ),
    "swin": (
        SwinModel(SWIN),
        {"embeddings.patch_embeddings.projection.weight": 2, "layernorm.weight": 0},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_depths(name):
    module, expected = CASES[name]
    found = depths_of(module)
    assert found.keys() == {n for n, _ in module.named_parameters()}
    assert {n: found[n] for n in expected} == expected


class Stacked(Letters):
    """Letters with layers after them."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(2)])


def test_a_head_has_the_full_rate_and_the_embeddings_the_lowest():
    encoder = with_head(ModuleEncoder(Stacked(), dimension=8), 4)
    factors = rate_factors(encoder, 0.5)
    assert factors["0.linear.weight"] == 0.25
    assert (factors["0.layers.0.bias"], factors["0.layers.1.bias"]) == (0.5, 1.0)
    assert factors["1.weight"] == 1.0


def test_each_tower_has_its_own_depth():
    deep = ModuleEncoder(Stacked(), dimension=8)
    flat = ModuleEncoder(Letters(), dimension=8, name="flat")
    with pytest.raises(SpecError, match="layer_decay: flat has no list of layers"):
        rate_factors(TwoTowers(deep, flat), 0.5)
    deeper = ModuleEncoder(Stacked(), dimension=8)
    deeper.module.layers.append(nn.Linear(8, 8))
    factors = rate_factors(TwoTowers(deep, deeper), 0.5)
    assert factors["query.linear.weight"] == 0.25
    assert factors["index.linear.weight"] == 0.125
