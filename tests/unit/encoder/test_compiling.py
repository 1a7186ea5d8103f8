"""A compiled encoder embeds alike, trains, and is saved under the same names."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.toy import ToyBatches, toy_encoder

from nearer.encoder.compiling import check_compiler, compile_encoder
from nearer.encoder.cuts import AfterModules
from nearer.encoder.embedding import encode
from nearer.encoder.frozen import FrozenPart, keep_frozen
from nearer.encoder.loading import EncoderOptions, load_encoder
from nearer.errors import SpecError
from nearer.loop.fit import fit
from nearer.loop.state import FitConfig
from nearer.losses.contrastive import InfoNCE

TEXTS = ["cheap red shoes", "rain", "the best warm coat for winter", "a hat"]


@pytest.fixture(autouse=True)
def _anew() -> None:
    torch._dynamo.reset()


@pytest.mark.slow
def test_a_compiled_encoder_embeds_and_trains_and_keeps_its_names(
    tiny_bert: Path, tmp_path: Path
) -> None:
    plain, compiled = load_encoder(tiny_bert), load_encoder(tiny_bert)
    compile_encoder(compiled, backend="eager")
    wanted = encode(plain, TEXTS, "query")
    np.testing.assert_allclose(encode(compiled, TEXTS, "query"), wanted, atol=1e-6)
    config = FitConfig(epochs=1, learning_rate=1e-2)
    fit(compiled, InfoNCE(), ToyBatches(), config=config)
    assert compiled.module.state_dict().keys() == plain.module.state_dict().keys()
    compiled.save(tmp_path)
    found = encode(load_encoder(tmp_path), TEXTS, "query")
    np.testing.assert_allclose(found, encode(compiled, TEXTS, "query"), atol=1e-6)
    assert np.abs(found - wanted).max() > 1e-3


@pytest.mark.slow
def test_what_is_frozen_is_kept_also_where_it_is_compiled(tiny_bert: Path) -> None:
    plain = load_encoder(tiny_bert, EncoderOptions(freeze="backbone", output_dim=8))
    samples = {"query": TEXTS}
    kept = keep_frozen(plain, samples, 1 << 20, within_layers=False)
    assert isinstance(kept, FrozenPart)
    assert kept.cut == AfterModules(2)
    wanted = encode(plain, TEXTS, "query")
    compile_encoder(plain, backend="eager")
    for _ in range(2):
        np.testing.assert_allclose(encode(kept, TEXTS, "query"), wanted, atol=1e-6)


def test_a_compiled_module_is_not_cut_between_its_layers(tiny_bert: Path) -> None:
    plain = load_encoder(tiny_bert, EncoderOptions(freeze=1))
    assert keep_frozen(plain, {"query": TEXTS}, 1 << 20, within_layers=False) is plain


def test_a_module_of_ones_own() -> None:
    encoder = toy_encoder()
    wanted = encode(encoder, TEXTS, "query")
    compile_encoder(encoder, backend="eager")
    np.testing.assert_allclose(encode(encoder, TEXTS, "query"), wanted, atol=1e-6)


def test_without_a_compiler_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SpecError, match=r"compile: needs a C\+\+ compiler, and none was found"):
        check_compiler("cpu")
    monkeypatch.setenv("CXX", "my-compiler")
    with pytest.raises(SpecError, match="none was found \\(my-compiler\\)"):
        check_compiler("auto")
    compiler = tmp_path / "my-compiler"
    compiler.touch(0o755)
    check_compiler("cpu")
