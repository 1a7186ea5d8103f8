"""Packed texts: for which models they give the same embeddings, and that no other gets them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sentence_transformer.modules import CNN, Normalize, Pooling
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    ModernBertConfig,
    MPNetConfig,
    Qwen3Config,
    RobertaConfig,
)

from nearer.encoder import packable, sentence
from nearer.encoder.compiling import compile_encoder
from nearer.encoder.loading import load_encoder
from nearer.encoder.packable import first_position
from nearer.encoder.packing import ENDS, packed
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.towers import TwoTowers

TEXTS = ["cheap red shoes for rain", "rain", "the best warm coat for winter and for snow", "a hat"]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 200,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
}
ARCHITECTURES = {
    "bert": BertConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES),
    "distilbert": DistilBertConfig(
        dim=32, n_layers=2, n_heads=2, hidden_dim=64, vocab_size=200, max_position_embeddings=40
    ),
    "mpnet": MPNetConfig(**SIZES),
    "modernbert": ModernBertConfig(**SIZES, cls_token_id=2, sep_token_id=3, local_attention=4096),
    "qwen3": Qwen3Config(**SIZES, num_key_value_heads=1, head_dim=16),
}


def model_of(
    name: str, folder: Path, tiny_bert: Path, pooling: str = "mean", **options: object
) -> SentenceTransformer:
    """A tiny model of an architecture, its weights random, with tiny-bert's tokenizer."""
    plain = folder / name
    torch.manual_seed(0)
    AutoModel.from_config(ARCHITECTURES[name]).save_pretrained(plain)
    tokenizer = SentenceTransformer(str(tiny_bert), device="cpu").tokenizer
    tokenizer.save_pretrained(str(plain))
    transformer = Transformer(str(plain), **options)
    modules = [transformer, Pooling(32, pooling_mode=pooling), Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu").eval()
    model.max_seq_length = 30
    return model


def embedded(encoder: SentenceTransformerEncoder, texts: list[str], packs: bool) -> torch.Tensor:
    prepared = encoder.prepare(texts, "query")
    features = prepared.take(np.argsort(-prepared.lengths, kind="stable"))
    return encoder.embed(packed(features) if packs else features, "query")


def test_a_row_holds_the_tokens_without_padding_whichever_side_it_is_on() -> None:
    ids = torch.tensor([[5, 6, 7], [8, 9, 0]])
    right = {"input_ids": ids, "attention_mask": (ids > 0).long(), "modality": "text"}
    left = {name: value.flip(1) if name != "modality" else value for name, value in right.items()}
    one, other = packed(right), packed(left)
    assert one["input_ids"].tolist() == [[5, 6, 7, 8, 9]]
    assert other["input_ids"].tolist() == [[7, 6, 5, 9, 8]]
    for row in (one, other):
        assert row["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
        assert row[ENDS].tolist() == [0, 3, 5]
        assert row["modality"] == "text"
        assert "attention_mask" not in row


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("bert", True),
        ("roberta", True),
        ("distilbert", True),
        ("mpnet", False),
        ("modernbert", False),
        ("qwen3", False),
    ],
)
def test_which_architectures_are_packed(
    name: str, fits: bool, tmp_path: Path, tiny_bert: Path
) -> None:
    encoder = SentenceTransformerEncoder(model_of(name, tmp_path, tiny_bert), name)
    assert encoder.packs("query") is fits
    if fits:
        plain, ours = (embedded(encoder, TEXTS, packs) for packs in (False, True))
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)


def test_the_real_model_is_packed_and_learns_the_same() -> None:
    encoder = load_encoder("minilm")
    encoder.module.eval()
    assert encoder.packs("query")
    found = []
    for packs in (False, True):
        vectors = embedded(encoder, TEXTS, packs)
        encoder.module.zero_grad()
        (vectors @ vectors[0]).sum().backward()
        gradients = [p.grad.flatten() for p in encoder.module.parameters() if p.grad is not None]
        found.append((vectors.detach(), torch.cat(gradients)))
    (plain, wanted), (ours, gradient) = found
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-6)
    assert (gradient - wanted).norm() < 1e-5 * wanted.norm()


@pytest.mark.parametrize(
    "pooling", ["cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
)
def test_every_pooling(pooling: str, tmp_path: Path, tiny_bert: Path) -> None:
    encoder = SentenceTransformerEncoder(model_of("bert", tmp_path, tiny_bert, pooling), "bert")
    assert encoder.packs("document")
    plain, ours = (embedded(encoder, TEXTS, packs) for packs in (False, True))
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)


def test_prompts_that_pooling_leaves_out(tmp_path: Path, tiny_bert: Path) -> None:
    model = model_of("bert", tmp_path, tiny_bert)
    model[1].include_prompt = False
    model.prompts = {"query": "what is the best "}
    encoder = SentenceTransformerEncoder(model, "bert")
    assert encoder.packs("query")
    plain, ours = (embedded(encoder, TEXTS, packs) for packs in (False, True))
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)


def test_each_side_of_a_router_is_tried(tmp_path: Path, tiny_bert: Path) -> None:
    fit, unfit = (model_of(name, tmp_path, tiny_bert) for name in ("bert", "mpnet"))
    router = Router.for_query_document([fit[0], fit[1]], [unfit[0], unfit[1]])
    model = SentenceTransformer(modules=[router, Normalize()], device="cpu").eval()
    encoder = SentenceTransformerEncoder(model, "both")
    assert encoder.packs("query")
    assert not encoder.packs("document")


def test_each_tower_decides_for_its_side(tmp_path: Path, tiny_bert: Path) -> None:
    towers = [
        SentenceTransformerEncoder(model_of(name, tmp_path, tiny_bert), name)
        for name in ("mpnet", "bert")
    ]
    both = TwoTowers(*towers)
    assert not both.packs("query")
    assert both.packs("document")


def test_modules_that_look_at_neighbours_are_not_packed(tmp_path: Path, tiny_bert: Path) -> None:
    model = model_of("bert", tmp_path, tiny_bert)
    modules = [model[0], CNN(32, 32, kernel_sizes=[3]), Pooling(32), Normalize()]
    with_cnn = SentenceTransformer(modules=modules, device="cpu").eval()
    assert not SentenceTransformerEncoder(with_cnn, "cnn").packs("query")


def test_attention_that_is_not_torchs_is_not_packed(tmp_path: Path, tiny_bert: Path) -> None:
    model = model_of("bert", tmp_path, tiny_bert, model_kwargs={"attn_implementation": "eager"})
    assert not SentenceTransformerEncoder(model, "eager").packs("query")


def test_positions_count_from_where_the_model_counts_them(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoders = [
        SentenceTransformerEncoder(model_of(name, tmp_path, tiny_bert), name)
        for name in ("roberta", "bert")
    ]
    assert [first_position(encoder, "query") for encoder in encoders] == [1, 0]
    monkeypatch.setattr(packable, "_first_positions", lambda module: [0, 2])
    assert first_position(encoders[0], "query") is None  # a wrong guess is found out


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing_would_attend_beyond_a_text(
    reentrant: bool, tiny_bert: Path
) -> None:
    encoder = load_encoder(tiny_bert)
    encoder.model[0].auto_model.activation_checkpointing_enable({"use_reentrant": reentrant})
    assert not encoder.packs("query")


def test_rows_that_sentence_transformers_packed_are_left_to_it(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(tiny_bert)
    assert encoder.packs("query")
    features = dict(packed(encoder.prepare(TEXTS[:1], "query").take(np.array([0]))))
    del features["nearer_lengths"]  # what says that it was us
    monkeypatch.setattr(sentence, "PackedAttention", lambda *a: pytest.fail("taken for ours"))
    assert encoder.embed(features, "query").shape == (1, 32)


def test_a_tensor_that_is_not_of_tokens_is_not_packed(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(tiny_bert)
    assert encoder.prepare(TEXTS, "query").padded
    plain = encoder.preprocess
    more = {"pixel_values": torch.zeros(len(TEXTS), 3, 4, 4)}
    monkeypatch.setattr(encoder, "preprocess", lambda *a: {**plain(*a), **more})
    assert not encoder.prepare(TEXTS, "query").padded


def test_a_compiled_model_is_not_packed(tiny_bert: Path) -> None:
    encoder = load_encoder(tiny_bert)
    compile_encoder(encoder, backend="eager")
    assert not encoder.packs("query")


def test_trying_changes_nothing_and_is_done_once(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = SentenceTransformer(str(tiny_bert), device="cpu").train()
    encoder = SentenceTransformerEncoder(model, "tiny")
    tries = []
    monkeypatch.setattr(
        sentence, "first_position", lambda *a: tries.append(a) or first_position(*a)
    )
    state = torch.get_rng_state()
    assert encoder.packs("query")
    assert encoder.packs("query")
    assert len(tries) == 1
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in model.modules())
    assert all(p.grad is None for p in model.parameters())
