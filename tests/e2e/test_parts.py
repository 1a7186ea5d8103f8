"""Runs that train a part of a model: frozen parts that are kept, adapters, a compiler."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from support.tiny import Letters

import nearer
from nearer.encoder import compiling
from nearer.errors import SpecError

TEXTS = ["cheap red shoes", "rain"]


@pytest.mark.parametrize("part", [{"freeze": 1}, {"freeze": "backbone", "output_dim": 8}])
def test_a_run_that_keeps_what_is_frozen_ends_like_one_that_does_not(
    part: dict, toy_files: dict[str, str], tiny_bert: Path, tmp_path: Path
) -> None:
    vectors, history = [], []
    for cache in ("1MiB", "0"):
        run = nearer.fit(
            model=str(tiny_bert),
            **toy_files,
            **part,
            epochs=2,
            precision="fp32",
            frozen_cache=cache,
            name=f"with-{cache}",
            runs_dir=tmp_path / "runs",
        )
        said = "Frozen, and computed once for each item" in (run.folder / "log.txt").read_text()
        assert said is (cache != "0")
        vectors.append(SentenceTransformer(str(run.artifact), device="cpu").encode(TEXTS))
        history.append([point["metrics"]["train_loss"] for point in run.history[1:]])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
    np.testing.assert_allclose(history[0], history[1], rtol=1e-5)


def test_a_run_with_adapters_leaves_a_plain_model(
    toy_files: dict[str, str], tiny_bert: Path, tmp_path: Path
) -> None:
    run = nearer.fit(
        model=str(tiny_bert), **toy_files, lora=4, epochs=2, patience=1, runs_dir=tmp_path / "runs"
    )
    alone = SentenceTransformer(str(run.artifact), device="cpu")
    plain = SentenceTransformer(str(tiny_bert), device="cpu")
    assert alone.state_dict().keys() == plain.state_dict().keys()
    assert "parameters learn" in (run.folder / "log.txt").read_text()
    metrics = nearer.evaluate(
        run.artifact, *(toy_files[n] for n in ("query_data", "index_data", "qrels"))
    ).metrics
    after = run.metrics()["after"]
    prefix = next(name for name in after if name.endswith("_ndcg_at_k")).removesuffix("ndcg_at_k")
    assert metrics[f"{prefix}ndcg_at_k"] == pytest.approx(after[f"{prefix}ndcg_at_k"])


def test_what_can_be_told_beforehand_is_told_before_a_model_is_loaded(
    toy_files: dict[str, str],
    tiny_bert: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None)
    with pytest.raises(SpecError) as caught:
        nearer.fit(model=str(tiny_bert), **toy_files, compile=True, runs_dir=tmp_path / "runs")
    assert "compile: needs a C++ compiler" in str(caught.value)
    with pytest.raises(SpecError) as caught:
        nearer.fit(
            model=str(tiny_bert),
            train_data=toy_files["train_data"],
            lora={"rank": 0},
            freeze=1,
            frozen_cache="much",
            runs_dir=tmp_path / "runs",
        )
    said = str(caught.value)
    assert "lora: rank 0; must be a whole number, at least 1" in said
    assert "freeze: with lora all that came is frozen already; leave freeze out" in said
    assert "frozen_cache: 'much'; give a number of bytes with a unit" in said
    assert not (tmp_path / "runs").exists()


def test_rates_fall_with_depth(toy_files: dict[str, str], tiny_bert: Path, tmp_path: Path) -> None:
    seen: set[float] = set()
    note = nearer.LambdaCallback(on_epoch_begin=lambda ctx: seen.update(ctx.learning_rates))
    options = {"epochs": 1, "warmup": 0, "learning_rate": 0.1, "runs_dir": tmp_path / "runs"}
    run = nearer.fit(
        model=str(tiny_bert), **toy_files, **options, layer_decay=0.5, callbacks=[note]
    )
    assert sorted(seen) == [0.025, 0.05, 0.1]  # embeddings, first layer, second layer
    assert run.record["spec"]["layer_decay"] == 0.5


def test_rates_by_depth_need_layers_and_something_to_train(
    toy_files: dict[str, str], tiny_bert: Path, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match="Letters has no list of layers to go by"):
        nearer.fit(model=Letters(), **toy_files, layer_decay=0.5, runs_dir=tmp_path)
    with pytest.raises(SpecError, match="freeze=backbone leaves no layer to train"):
        nearer.fit(
            model=str(tiny_bert),
            **toy_files,
            layer_decay=0.5,
            freeze="backbone",
            output_dim=4,
            runs_dir=tmp_path,
        )
    assert list(tmp_path.glob("default/*")) == []
