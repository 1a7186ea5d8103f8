"""LoRA: what learns, what stays, and that the artifact is a plain model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from support.toy import ToyBatches, toy_encoder, weights_of

from nearer.encoder import lora as module
from nearer.encoder.embedding import encode
from nearer.encoder.heads import with_head
from nearer.encoder.loading import EncoderOptions, load_encoder, load_towers
from nearer.encoder.lora import LoraOptions, check_peft, linear_layers, read_lora
from nearer.encoder.protocol import Encoder
from nearer.errors import SpecError
from nearer.loop.fit import fit
from nearer.loop.state import FitConfig
from nearer.losses.contrastive import InfoNCE

TEXTS = ["cheap red shoes", "rain", "the best warm coat for winter", "a hat"]


def adapted(folder: Path, head: int | None = None, **options: Any) -> Encoder:
    torch.manual_seed(0)
    return load_encoder(folder, EncoderOptions(lora=LoraOptions(4, **options), output_dim=head))


def train(encoder: Encoder) -> None:
    config = FitConfig(epochs=3, learning_rate=1e-2)
    fit(encoder, InfoNCE(), ToyBatches(), config=config)


@pytest.mark.parametrize("head", [None, 8])
def test_only_adapters_and_a_new_head_learn(head: int | None, tiny_bert: Path) -> None:
    encoder = adapted(tiny_bert, head)
    before = weights_of(encoder)
    train(encoder)
    after = weights_of(encoder)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(".lora_" in name or ".linear." in name for name in changed)
    assert any(".linear." in name for name in changed) is (head is not None)


def test_before_training_it_is_the_model_that_came(tiny_bert: Path) -> None:
    np.testing.assert_allclose(
        encode(adapted(tiny_bert), TEXTS, "query"),
        encode(load_encoder(tiny_bert), TEXTS, "query"),
        atol=1e-6,
    )


@pytest.mark.parametrize("head", [None, 8])
def test_what_is_saved_is_a_plain_model_with_the_same_embeddings(
    head: int | None, tiny_bert: Path, tmp_path: Path
) -> None:
    encoder = adapted(tiny_bert, head)
    train(encoder)
    vectors, weights = encode(encoder, TEXTS, "query"), weights_of(encoder)
    encoder.save(tmp_path)
    assert not (tmp_path / "adapter").exists()
    assert not list(tmp_path.glob("adapter_config.json"))
    alone = SentenceTransformer(str(tmp_path), device="cpu")
    np.testing.assert_allclose(alone.encode(TEXTS), vectors, atol=1e-6)
    plain = load_encoder(tiny_bert)
    plain = plain if head is None else with_head(plain, head)  # type: ignore[arg-type]
    assert alone.state_dict().keys() == plain.module.state_dict().keys()
    # Saving has changed nothing: one may train on.
    for name, value in weights_of(encoder).items():
        assert torch.equal(value, weights[name])


# peft 0.21 asks transformers 5.24 for a property by its old name.
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_adapters_are_kept_apart_too_where_that_is_asked_for(
    tiny_bert: Path, tmp_path: Path
) -> None:
    from peft import PeftModel

    encoder = adapted(tiny_bert, merge=False)
    train(encoder)
    encoder.save(tmp_path)
    alone = SentenceTransformer(str(tmp_path), device="cpu")
    base = SentenceTransformer(str(tiny_bert), device="cpu")
    put_on = PeftModel.from_pretrained(base[0].auto_model, str(tmp_path / "adapter"))
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["r"] == 4
    base.eval()
    assert put_on is not None
    np.testing.assert_allclose(base.encode(TEXTS), alone.encode(TEXTS), atol=1e-6)


def test_attention_alone_is_adapted_unless_something_else_is_named(tiny_bert: Path) -> None:
    layers = linear_layers(load_encoder(tiny_bert).module)
    assert {name.rsplit(".attention.", 1)[-1] for name, inner in layers.items() if inner} == {
        "self.query",
        "self.key",
        "self.value",
        "output.dense",
    }
    for targets, expected in ((None, 8), (("query",), 2), (("all-linear",), 13)):
        encoder = adapted(tiny_bert, targets=targets)
        names = [n for n, p in encoder.module.named_parameters() if ".lora_A." in n]
        assert len(names) == expected, targets


def test_a_layer_that_is_not_there(tiny_bert: Path) -> None:
    with pytest.raises(SpecError, match='no linear layer "q_proj"; there are dense, key, query'):
        adapted(tiny_bert, targets=("q_proj",))


def test_a_module_of_ones_own_is_refused() -> None:
    with pytest.raises(SpecError, match="lora: letters is a module of your own"):
        load_encoder(toy_encoder().module, EncoderOptions(lora=LoraOptions(), output_dim=4))


def test_of_two_towers_the_frozen_one_has_none(tiny_bert: Path) -> None:
    options = EncoderOptions(lora=LoraOptions(4), freeze="query")
    towers = load_towers(tiny_bert, tiny_bert, options)
    adapters = [n for n, p in towers.module.named_parameters() if ".lora_A." in n]
    assert adapters
    assert all(name.startswith("index.") for name in adapters)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (8, LoraOptions(8)),
        ({"rank": 4, "alpha": 4}, LoraOptions(4, 4)),
        ({}, LoraOptions(16)),
        ({"targets": "query, value"}, LoraOptions(targets=("query", "value"))),
        ({"targets": ["query"], "merge": False}, LoraOptions(targets=("query",), merge=False)),
    ],
)  # fmt: skip
def test_reading_options(given: Any, expected: LoraOptions) -> None:
    assert read_lora(given) == expected


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (0, "rank 0; must be a whole number, at least 1"),
        ({"rank": 2.5}, "rank 2.5"),
        ({"ranks": 2}, 'has no "ranks"; there are rank, alpha'),
        ({"alpha": 0}, "alpha 0; must be more than 0"),
        ({"dropout": 1}, "dropout 1; must be 0 to less than 1"),
        ({"targets": 3}, "targets 3; must be names of linear layers"),
        ({"targets": []}, "must be names of linear layers"),
        ({"merge": "no"}, "merge 'no'; must be true or false"),
    ],
)
def test_options_that_are_refused(given: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_lora(given)


def test_without_peft_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match="nearer\\[lora\\]"):
        check_peft()
