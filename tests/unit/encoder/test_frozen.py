"""What is frozen is computed once for each item, and training ends with the same weights."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny import Letters
from support.toy import PAIRS, ToyBatches, weights_of
from torch import nn
from transformers import (
    DistilBertConfig,
    DistilBertModel,
    ModernBertConfig,
    ModernBertModel,
    MPNetConfig,
    MPNetModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from nearer.encoder.cuts import AfterLayers, AfterModules, BeforeHead, Whole
from nearer.encoder.embedding import embed_prepared, encode
from nearer.encoder.freezing import freeze_all, freeze_layers
from nearer.encoder.frozen import FrozenPart, keep_frozen
from nearer.encoder.heads import with_head
from nearer.encoder.loading import EncoderOptions, load_encoder
from nearer.encoder.module import ModuleEncoder
from nearer.encoder.prefix import find_cut
from nearer.encoder.protocol import Encoder
from nearer.encoder.sharing import SharedEmbeddings
from nearer.encoder.space import space_of
from nearer.encoder.towers import TwoTowers
from nearer.loop.callback import Callback
from nearer.loop.fit import fit
from nearer.loop.state import FitConfig
from nearer.losses.contrastive import InfoNCE

TEXTS = ["cheap red shoes", "rain", "the best warm coat for winter", "a hat", "rain"]
SAMPLES = {"query": TEXTS[:3], "document": TEXTS[1:]}
LIMIT = 1 << 24


def bert(folder: Path, freeze: Any = None, head: int | None = None) -> Encoder:
    torch.manual_seed(1)
    encoder = load_encoder(folder, EncoderOptions(freeze=freeze, output_dim=head))
    for module in encoder.module.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return encoder


def letters(head: int | None = 4) -> Encoder:
    torch.manual_seed(1)
    encoder = ModuleEncoder(Letters(), dimension=8)
    freeze_all(encoder.module)
    return encoder if head is None else with_head(encoder, head)


@contextmanager
def counted(module: nn.Module) -> Iterator[list[int]]:
    """Rows that go through a module."""
    rows: list[int] = []
    hook = module.register_forward_hook(lambda m, given, out: rows.append(len(given[0])))
    try:
        yield rows
    finally:
        hook.remove()


def first_layer(encoder: Encoder) -> nn.Module:
    return encoder.module[0].auto_model.encoder.layer[0]  # type: ignore[index, union-attr]


class EvaluateTexts(Callback):
    """Embeds the texts at each point, as an evaluation does."""

    def on_evaluate(self, ctx: Any) -> dict[str, float]:
        for side in ("query", "document"):
            ctx.encode(ctx.encoder, TEXTS, side)
        return {}


def trained(encoder: Encoder, epochs: int = 3, **options: Any) -> dict[str, torch.Tensor]:
    config = FitConfig(epochs=epochs, learning_rate=1e-2, fresh_head=True, **options)
    fit(encoder, InfoNCE(), ToyBatches(), config=config, callbacks=[EvaluateTexts()])
    return weights_of(encoder)


CASES: dict[str, tuple[Callable[[Path], Encoder], Any]] = {
    "head only": (lambda folder: bert(folder, "backbone", 16), AfterModules(2)),
    "one layer": (lambda folder: bert(folder, 1), AfterLayers(1, 2, False)),
    "one layer, and a head": (lambda folder: bert(folder, 1, 16), AfterLayers(1, 2, False)),
    # BERT's own pooler, which nothing asks, is all that is not frozen before the head.
    "all layers, and a head": (lambda folder: bert(folder, 2, 16), AfterModules(2)),
    "a module's head": (lambda folder: letters(), BeforeHead()),
}


@pytest.mark.parametrize("case", CASES)
def test_training_ends_with_the_same_weights(case: str, tiny_bert: Path) -> None:
    make, cut = CASES[case]
    plain = make(tiny_bert)
    kept = keep_frozen(make(tiny_bert), SAMPLES, LIMIT)
    assert isinstance(kept, FrozenPart)
    assert kept.cut == cut
    wanted, found = trained(plain), trained(kept)
    assert wanted.keys() == found.keys()
    for name in wanted:
        # Softmax ignores a key's bias: its gradient is rounding, of which Adam makes a step.
        if not name.endswith("attention.self.key.bias"):
            torch.testing.assert_close(found[name], wanted[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("micro_batch", [None, 2])
def test_each_text_goes_through_the_frozen_part_once(
    micro_batch: int | None, tiny_bert: Path
) -> None:
    kept = keep_frozen(bert(tiny_bert, 1), SAMPLES, LIMIT)
    with counted(first_layer(kept).attention) as rows:  # type: ignore[arg-type]
        trained(kept, micro_batch=micro_batch)
    assert sum(rows) == len({text for pair in PAIRS[:7] for text in pair} | set(TEXTS))


@pytest.mark.parametrize("head", [None, 16])
def test_a_text_that_is_known_is_not_even_tokenised(
    head: int | None, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze = 1 if head is None else "backbone"
    kept = keep_frozen(bert(tiny_bert, freeze, head), SAMPLES, LIMIT)
    first = encode(kept, TEXTS, "document")
    monkeypatch.setattr(kept.plain, "prepare", None)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(encode(kept, TEXTS, "document"), first)


@pytest.mark.parametrize("case", CASES)
def test_embeddings_are_those_of_the_encoder_itself(case: str, tiny_bert: Path) -> None:
    plain = CASES[case][0](tiny_bert)
    kept = keep_frozen(plain, SAMPLES, LIMIT)
    for side in ("query", "document"):
        wanted = encode(plain, TEXTS, side)
        for _ in range(2):
            np.testing.assert_allclose(encode(kept, TEXTS, side), wanted, atol=1e-6)
        came = encode(kept.as_it_came(), TEXTS, side)
        np.testing.assert_allclose(came, encode(plain.as_it_came(), TEXTS, side), atol=1e-6)
    assert kept.dimension == plain.dimension
    assert kept.module is plain.module
    assert space_of(kept, "query") == space_of(plain, "query")


def test_a_gradient_reaches_what_learns_and_nothing_else(tiny_bert: Path) -> None:
    plain, kept = bert(tiny_bert, 1), keep_frozen(bert(tiny_bert, 1), SAMPLES, LIMIT)
    encode(kept, TEXTS[:2], "query")  # some are known, some are not
    for encoder in (plain, kept):
        embed_prepared(encoder, encoder.prepare(TEXTS, "query"), "query")[:, 0].sum().backward()
    gradients = [
        {n: p.grad for n, p in e.module.named_parameters() if p.grad is not None}
        for e in (plain, kept)
    ]
    assert gradients[0].keys() == gradients[1].keys()
    assert all(".layer.1." in name for name in gradients[0])
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-6)


def test_both_sides_share_what_they_have_in_common(tiny_bert: Path) -> None:
    kept = keep_frozen(bert(tiny_bert, 1), SAMPLES, LIMIT)
    encode(kept, TEXTS, "query")
    encode(kept, TEXTS, "document")
    assert len(kept._states) == 4  # type: ignore[attr-defined]


def test_a_prompt_makes_another_text_of_it(tiny_bert: Path) -> None:
    options = EncoderOptions(freeze="backbone", output_dim=8, query_prompt="red ")
    plain = load_encoder(tiny_bert, options)
    kept = keep_frozen(plain, SAMPLES, LIMIT)
    for side in ("query", "document"):
        np.testing.assert_allclose(encode(kept, TEXTS, side), encode(plain, TEXTS, side), atol=1e-6)
    assert len(kept._states) == 8  # type: ignore[attr-defined]


def test_a_frozen_tower_is_embedded_once(tiny_bert: Path) -> None:
    query, index = bert(tiny_bert, "backbone"), bert(tiny_bert)
    towers = TwoTowers(query, index)
    kept = keep_frozen(towers, SAMPLES, LIMIT)
    assert isinstance(kept, TwoTowers)
    assert isinstance(kept.towers["query"], FrozenPart)
    assert kept.towers["query"].cut == Whole()
    assert kept.towers["document"] is index
    again = TwoTowers(bert(tiny_bert, "backbone"), bert(tiny_bert))
    wanted, found = trained(again), trained(kept)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-5, atol=1e-6)


def test_two_towers_do_not_take_each_others_states(tiny_bert: Path) -> None:
    query, index = bert(tiny_bert, 1), bert(tiny_bert, 1)
    with torch.no_grad():
        for parameter in index.module.parameters():
            parameter.mul_(1.1)
    kept = keep_frozen(TwoTowers(query, index), SAMPLES, LIMIT)
    encode(kept, TEXTS, "query")
    found = encode(kept, TEXTS, "document")
    np.testing.assert_allclose(found, encode(index, TEXTS, "document"), atol=1e-6)


def test_nothing_is_kept_where_nothing_is_frozen_or_no_room_is_given(tiny_bert: Path) -> None:
    for encoder, limit in ((bert(tiny_bert), LIMIT), (bert(tiny_bert, 1), 0)):
        assert keep_frozen(encoder, SAMPLES, limit) is encoder
    encoder = bert(tiny_bert, 0)  # the embeddings alone: a look-up of a look-up
    assert keep_frozen(encoder, SAMPLES, LIMIT) is encoder


def test_what_does_not_fit_is_computed_again(tiny_bert: Path) -> None:
    plain = bert(tiny_bert, 1)
    kept = keep_frozen(plain, SAMPLES, 2048)
    for _ in range(2):
        np.testing.assert_allclose(
            encode(kept, TEXTS, "query"), encode(plain, TEXTS, "query"), atol=1e-6
        )
    assert len(kept._states) < 4  # type: ignore[attr-defined]
    wanted, found = trained(bert(tiny_bert, 1)), trained(kept)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-5, atol=1e-6)


def test_an_encoder_that_turns_out_otherwise_is_left_alone(
    tiny_bert: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that draws something when it prepares: what was kept would not be what comes."""
    torch.manual_seed(0)
    plain = ModuleEncoder(Letters(), dimension=8)
    freeze_all(plain.module)
    plain = with_head(plain, 4)
    steady = plain.prepare_items
    plain.prepare_items = lambda items: steady(items) + torch.rand(len(items), 26)  # type: ignore
    with caplog.at_level(logging.INFO, "nearer"):
        assert keep_frozen(plain, SAMPLES, LIMIT) is plain
    assert "Frozen, but computed each time: all but the head (by way of" in caplog.text


def test_dropout_in_front_of_a_head_stays(tiny_bert: Path) -> None:
    """Where something is dropped at random in training, what was kept would be always the same."""
    torch.manual_seed(0)
    came = nn.Sequential(Letters(), nn.Dropout(0.5))
    encoder = ModuleEncoder(came, Letters.prepare.__get__(came[0]), dimension=8)
    encoder.module[0].requires_grad_(False)  # type: ignore[index]
    headed = with_head(encoder, 4)
    assert keep_frozen(headed, SAMPLES, LIMIT) is not headed  # frozen as a whole: in eval mode
    learns = nn.Parameter(torch.zeros(()))
    came.register_parameter("learns", learns)
    assert keep_frozen(headed, SAMPLES, LIMIT) is headed


SMALL: dict[str, Any] = {"vocab_size": 200, "hidden_size": 32, "intermediate_size": 64}
MODELS: dict[str, Callable[[], nn.Module]] = {
    "XLM-R": lambda: XLMRobertaModel(
        XLMRobertaConfig(**SMALL, num_hidden_layers=3, num_attention_heads=2, pad_token_id=0)
    ),
    "MPNet": lambda: MPNetModel(
        MPNetConfig(**SMALL, num_hidden_layers=3, num_attention_heads=2, pad_token_id=0)
    ),
    "DistilBERT": lambda: DistilBertModel(
        DistilBertConfig(vocab_size=200, dim=32, hidden_dim=64, n_layers=3, n_heads=2)
    ),
    "ModernBERT": lambda: ModernBertModel(
        ModernBertConfig(
            **SMALL,
            num_hidden_layers=3,
            num_attention_heads=2,
            pad_token_id=0,
            bos_token_id=2,
            eos_token_id=3,
            cls_token_id=2,
            sep_token_id=3,
            global_attn_every_n_layers=2,
            local_attention=4,
        )
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_other_architectures(name: str, tiny_bert: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = bert(tiny_bert)
    encoder.module.tokenizer.save_pretrained(tmp_path)  # type: ignore[union-attr, operator]
    MODELS[name]().save_pretrained(tmp_path)  # type: ignore[operator]
    plain = load_encoder(tmp_path)
    freeze_layers(plain.module, 2)
    relative = getattr(plain.module[0].auto_model, "encoder", None)  # type: ignore[index]
    moves = hasattr(relative, "relative_attention_bias")
    if moves:  # MPNet: a table that all layers use is registered after them, and learns
        assert find_cut(plain, SAMPLES) is None
        relative.relative_attention_bias.requires_grad_(False)  # type: ignore[union-attr]
    kept = keep_frozen(plain, SAMPLES, LIMIT)
    assert isinstance(kept, FrozenPart)
    assert isinstance(kept.cut, AfterLayers)
    assert (kept.cut.count, kept.cut.of) == (2, 3)
    for _ in range(2):
        np.testing.assert_allclose(
            encode(kept, TEXTS, "query"), encode(plain, TEXTS, "query"), atol=1e-5
        )


def test_a_low_precision_is_kept_as_it_is(tiny_bert: Path) -> None:
    options = EncoderOptions(freeze=1, precision="bf16")
    plain = load_encoder(tiny_bert, options)
    kept = keep_frozen(plain, SAMPLES, LIMIT)
    assert isinstance(kept, FrozenPart)
    first = encode(kept, TEXTS, "query")
    np.testing.assert_allclose(first, encode(plain, TEXTS, "query"), atol=0.03)
    np.testing.assert_array_equal(encode(kept, TEXTS, "query"), first)


def test_embeddings_that_are_shared_see_through_it(tiny_bert: Path) -> None:
    kept = keep_frozen(bert(tiny_bert, "backbone", 16), SAMPLES, LIMIT)
    shared = SharedEmbeddings()
    fresh: list[int] = []
    shared(kept, TEXTS, "query", fresh=fresh.append)
    shared(kept, TEXTS, "query", fresh=fresh.append)
    assert fresh == [5]


def test_saving_writes_the_plain_model(tiny_bert: Path, tmp_path: Path) -> None:
    kept = keep_frozen(bert(tiny_bert, "backbone", 16), SAMPLES, LIMIT)
    vectors = encode(kept, TEXTS, "query")
    kept.save(tmp_path)
    loaded = load_encoder(tmp_path)
    np.testing.assert_allclose(encode(loaded, TEXTS, "query"), vectors, atol=1e-6)
