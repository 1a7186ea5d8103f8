from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from support.tiny import Letters
from torch import nn

from nearer.encoder.embedding import encode
from nearer.encoder.freezing import freeze_all, freeze_layers
from nearer.encoder.heads import with_head
from nearer.encoder.loading import load_encoder
from nearer.encoder.module import ModuleEncoder
from nearer.errors import SpecError

TEXTS = ["cheap red shoes", "rain", "the best warm coat for winter", "a hat"]


@pytest.fixture
def model(tiny_bert: Path) -> SentenceTransformer:
    return SentenceTransformer(str(tiny_bert), device="cpu")


def test_T5_nothing_is_frozen_and_no_head_added_unless_asked(tiny_bert: Path) -> None:
    encoder = load_encoder(tiny_bert)
    assert all(p.requires_grad for p in encoder.module.parameters())
    plain = SentenceTransformer(str(tiny_bert), device="cpu")
    np.testing.assert_allclose(encode(encoder, TEXTS, "document"), plain.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize(
    ("count", "frozen"),
    [
        (0, ["embeddings"]),
        (1, ["embeddings", "encoder.layer.0"]),
        (2, ["embeddings", "encoder.layer.0", "encoder.layer.1"]),
    ],
)
def test_a_number_freezes_the_embeddings_and_that_many_layers(
    count: int, frozen: list[str], model: SentenceTransformer
) -> None:
    freeze_layers(model, count)
    for name, parameter in model[0].auto_model.named_parameters():
        within = any(name.startswith(part + ".") for part in frozen)
        assert parameter.requires_grad is not within, name


def test_more_layers_than_there_are(model: SentenceTransformer) -> None:
    with pytest.raises(SpecError) as caught:
        freeze_layers(model, 3)
    assert str(caught.value) == "freeze: 3; the model has 2 layers that can be frozen"
    assert all(p.requires_grad for p in model.parameters())


def test_a_module_without_layers() -> None:
    with pytest.raises(SpecError, match="the model has 0 layers that can be frozen"):
        freeze_layers(Letters(), 0)


def test_a_head_with_a_hidden_layer_begins_as_a_linear_one_on_what_is_positive(
    model: SentenceTransformer,
) -> None:
    encoder = with_head(load_encoder(model), 8, "mlp")
    assert encoder.dimension == 8
    assert [type(m).__name__ for m in encoder.model] == [
        "Transformer", "Pooling", "Dense", "Dense", "Normalize",
    ]  # fmt: skip
    came = encoder.as_it_came()
    np.testing.assert_array_equal(
        encode(came, TEXTS, "query"), encode(load_encoder(model), TEXTS, "query")
    )


def test_everything(model: SentenceTransformer) -> None:
    model.train()
    freeze_all(model)
    assert not any(p.requires_grad for p in model.parameters())
    assert all(m.training for m in model.modules())


@pytest.mark.parametrize("dimension", [8, 32, 48])
def test_a_head_has_the_asked_length_and_stands_before_normalize(
    dimension: int, tiny_bert: Path
) -> None:
    encoder = load_encoder(tiny_bert)
    headed = with_head(encoder, dimension)  # type: ignore[arg-type]
    assert headed.dimension == dimension
    vectors = encode(headed, TEXTS, "query")
    assert vectors.shape == (4, dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    names = [type(m).__name__ for m in headed.module]  # type: ignore[union-attr]
    assert names == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert headed.name == encoder.name


@pytest.mark.parametrize("dimension", [32, 48])
def test_a_head_that_is_wide_enough_keeps_every_angle(dimension: int, tiny_bert: Path) -> None:
    encoder = load_encoder(tiny_bert)
    before = encode(encoder, TEXTS, "query")
    after = encode(with_head(encoder, dimension), TEXTS, "query")  # type: ignore[arg-type]
    np.testing.assert_allclose(after @ after.T, before @ before.T, atol=1e-5)


def test_the_encoder_as_it_came_is_the_one_without_the_head(tiny_bert: Path) -> None:
    encoder = load_encoder(tiny_bert)
    before = encode(encoder, TEXTS, "query")
    headed = with_head(encoder, 8)  # type: ignore[arg-type]
    came = headed.as_it_came()
    np.testing.assert_array_equal(encode(came, TEXTS, "query"), before)
    assert came.dimension == 32
    assert came.as_it_came() is came
    shared = {p.data_ptr() for p in headed.module.parameters()}
    assert {p.data_ptr() for p in came.module.parameters()} <= shared


def test_a_head_keeps_prompts_and_similarity(model: SentenceTransformer, tiny_bert: Path) -> None:
    encoder = load_encoder(tiny_bert)
    encoder.model.prompts["query"] = "find: "  # type: ignore[attr-defined]
    encoder.model.similarity_fn_name = "dot"  # type: ignore[attr-defined]
    headed = with_head(encoder, 8)  # type: ignore[arg-type]
    assert headed.model.prompts["query"] == "find: "  # type: ignore[union-attr]
    assert headed.model.similarity_fn_name == "dot"  # type: ignore[union-attr]


def test_a_head_on_a_module() -> None:
    torch.manual_seed(0)
    encoder = ModuleEncoder(Letters(), dimension=8)
    headed = with_head(encoder, 8)
    before, after = encode(encoder, TEXTS, "query"), encode(headed, TEXTS, "query")
    np.testing.assert_allclose(after @ after.T, before @ before.T, rtol=1e-4)
    assert isinstance(headed.module, nn.Sequential)
    assert headed.as_it_came().module is encoder.module
    assert encoder.as_it_came() is encoder
