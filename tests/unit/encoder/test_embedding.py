from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.tiny import Letters
from torch import nn

from nearer.encoder import embedding
from nearer.encoder.embedding import embed_prepared, encode, evaluating, micro_batches
from nearer.encoder.loading import load_encoder
from nearer.encoder.module import ModuleEncoder
from nearer.encoder.protocol import device_of
from nearer.errors import ModelError

LENGTHS = st.lists(st.integers(0, 600), max_size=60).map(lambda n: np.array(n, dtype=np.int64))


@given(lengths=LENGTHS, most=st.none() | st.integers(1, 9), budget=st.integers(1, 2000))
def test_micro_batches_hold_each_item_once_within_the_budget(
    lengths: np.ndarray, most: int | None, budget: int
) -> None:
    groups = micro_batches(lengths, most, budget)
    together = np.concatenate([*groups, np.array([], dtype=np.int64)])
    assert sorted(together.tolist()) == list(range(len(lengths)))
    assert (np.diff(lengths[together]) <= 0).all()
    for group in groups:
        assert len(group)
        padded = len(group) * max(1, lengths[group].max())
        assert padded <= budget or len(group) == 1
        assert most is None or len(group) <= most
    again = micro_batches(lengths, most, budget)
    assert [group.tolist() for group in groups] == [group.tolist() for group in again]


def test_items_come_back_in_order_and_progress_adds_up(tiny_bert: Path) -> None:
    encoder = load_encoder(tiny_bert)
    texts = ["hat " * (n % 7 + 1) for n in range(40)]
    prepared = encoder.prepare(texts, "query")
    done: list[int] = []
    encoder.module.eval()
    vectors = embed_prepared(encoder, prepared, "query", micro_batch=6, advance=done.append)
    assert sum(done) == 40
    for row in (0, 13, 39):
        alone = encoder.embed(prepared.take(np.array([row])), "query")[0]
        torch.testing.assert_close(vectors[row], alone, atol=1e-6, rtol=1e-5)


def test_long_lists_are_prepared_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = ModuleEncoder(Letters(), dimension=8)
    texts = [f"{'abcdefghij'[n % 10]} {'xyz'[n % 3]}" for n in range(25)]
    whole = encode(encoder, texts, "query")
    monkeypatch.setattr(embedding, "CHUNK", 10)
    sizes: list[int] = []
    encoder.prepare_items = lambda items: sizes.append(len(items)) or Letters().prepare(items)  # type: ignore[func-returns-value, arg-type]
    np.testing.assert_allclose(encode(encoder, texts, "query"), whole, atol=1e-6)
    assert sizes == [10, 10, 5]


class Noisy(Letters):
    """A module that shows in which mode it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.drop(self.norm(super().forward(batch)))


def test_encoding_is_in_eval_mode_and_every_mode_is_restored() -> None:
    """Dropout and batch statistics must not touch an evaluation (T9)."""
    module = Noisy().train()
    module.norm.eval()  # frozen statistics amid training
    encoder = ModuleEncoder(module, dimension=8)
    state = {name: value.clone() for name, value in module.state_dict().items()}
    first = encode(encoder, ["red", "blue", "hat"], "query")
    second = encode(encoder, ["red", "blue", "hat"], "query")
    np.testing.assert_array_equal(first, second)
    assert (module.training, module.norm.training, module.drop.training) == (True, False, True)
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_modes_are_restored_after_an_error() -> None:
    module = Noisy().train()
    with pytest.raises(ZeroDivisionError), evaluating(module):
        _ = 1 / 0
    assert all(m.training for m in module.modules())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_embeddings_are_float32_whatever_is_computed_in(precision: str, tiny_bert: Path) -> None:
    encoder = load_encoder(tiny_bert)
    encoder.precision = precision  # type: ignore[assignment]
    vectors = encode(encoder, ["red hat"], "query")
    assert vectors.dtype == np.float32
    exact = encode(load_encoder(tiny_bert), ["red hat"], "query")
    assert (np.abs(vectors - exact).max() > 0) == (precision == "bf16")
    np.testing.assert_allclose(vectors, exact, atol=0.02)


def test_the_device_of_a_module_without_parameters() -> None:
    assert device_of(nn.Identity()) == torch.device("cpu")


def test_a_module_must_say_how_its_input_is_prepared() -> None:
    with pytest.raises(ModelError, match="Linear does not say how to prepare its input; give"):
        ModuleEncoder(nn.Linear(2, 2))


def test_the_length_of_a_modules_embeddings_is_known_once_it_has_embedded() -> None:
    encoder = ModuleEncoder(Letters())
    with pytest.raises(ModelError, match="the length of letters's embeddings is unknown"):
        _ = encoder.dimension
    embed_prepared(encoder, encoder.prepare(["a"], "query"), "query")
    assert encoder.dimension == 8


def test_a_module_may_take_several_inputs() -> None:
    class Two(nn.Module):
        def forward(self, length: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
            return torch.stack([length, first], dim=1)

    def prepare(texts: list[str]) -> dict[str, torch.Tensor]:
        lengths = torch.tensor([float(len(t)) for t in texts])
        return {"length": lengths, "first": torch.tensor([float(ord(t[0])) for t in texts])}

    encoder = ModuleEncoder(Two(), prepare, dimension=2)  # type: ignore[arg-type]
    assert encode(encoder, ["a", "bb"], "query").tolist() == [[1, 97], [2, 98]]


def test_chunks_are_prepared_ahead_and_come_in_order(tiny_bert: Path, monkeypatch) -> None:
    encoder = load_encoder(str(tiny_bert))
    texts = [f"shoes {i} {'rain ' * (i % 7)}" for i in range(23)]
    whole = encode(encoder, texts, "query")
    monkeypatch.setattr("nearer.encoder.embedding.CHUNK", 5)
    done: list[int] = []
    fresh: list[int] = []
    rows = encode(encoder, texts, "query", advance=done.append, fresh=fresh.append)
    np.testing.assert_allclose(rows, whole, atol=1e-6)
    assert sum(done) == sum(fresh) == 23


def test_an_item_that_cannot_be_prepared_fails_where_it_stands(monkeypatch) -> None:
    class Picky(Letters):
        def prepare(self, texts):
            if "bad" in texts:
                raise ValueError("cannot prepare bad")
            return super().prepare(texts)

    monkeypatch.setattr("nearer.encoder.embedding.CHUNK", 2)
    done: list[int] = []
    with pytest.raises(ValueError, match="cannot prepare bad"):
        encode(ModuleEncoder(Picky()), ["a", "b", "c", "bad"], "query", advance=done.append)
    assert sum(done) == 2
