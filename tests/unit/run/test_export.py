"""Exports: near to the artifact or not kept, used like any model, and without nearer."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from support.tiny import Letters
from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

import nearer
from nearer.artifact import graph
from nearer.artifact.manifest import Manifest, read_manifest
from nearer.artifact.store import kind_of, save_artifact
from nearer.encoder.heads import with_head
from nearer.encoder.loading import load_encoder
from nearer.encoder.module import ModuleEncoder
from nearer.encoder.protocol import Encoder
from nearer.encoder.towers import TwoTowers
from nearer.errors import ArtifactError, ModelError, NearerError, SpecError

TEXTS = ["red shoes", "a blue hat of wool for the cold winter, what is best", "coat", "x y z"]
Make = Callable[..., Path]


@pytest.fixture
def artifact(tmp_path: Path, toy_files: dict[str, str]) -> Make:
    """Saves an encoder as the artifact of a run that was evaluated on the small search task."""

    def make(encoder: Encoder, **spec: Any) -> Path:
        data = {name: toy_files[name] for name in ("query_data", "index_data", "qrels")}
        values: dict[str, Any] = {"spec": {**data, "limit": 5, **spec}}
        names = (kind_of(encoder), encoder.name, "tiny", encoder.dimension)
        save_artifact(encoder, tmp_path / "artifact", Manifest(*names, **values))
        return tmp_path / "artifact"

    return make


def without_nearer(folder: Path) -> dict[str, Any]:
    """Run the code of the export's own README."""
    readme = (folder / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.S)
    names: dict[str, Any] = {}
    exec(code.replace("path/to/this/folder", str(folder)), names)
    return names


def test_the_whole_model_is_in_the_graph(artifact: Make, tiny_bert: Path) -> None:
    encoder = load_encoder(str(tiny_bert))
    encoder = with_head(encoder, 12)
    encoder.model.prompts.update(query="which ", document="the ")
    exported = nearer.export(artifact(encoder))
    assert exported.parity["rows"] == 30
    assert exported.parity["least"] > 0.999999
    assert exported.folder.name == "artifact-onnx"
    for side in ("query", "document"):
        ours, theirs = (
            nearer.encode(model, TEXTS, side=side) for model in (encoder, exported.folder)
        )
        np.testing.assert_allclose(theirs, ours, atol=1e-5)
    names = without_nearer(exported.folder)
    np.testing.assert_allclose(
        names["documents"][1], nearer.encode(encoder, ["another"])[0], atol=1e-5
    )


def test_two_towers_are_two_graphs(artifact: Make, tiny_bert: Path) -> None:
    towers = TwoTowers(
        *(with_head(load_encoder(str(tiny_bert), name=name), 8) for name in ("one", "other"))
    )
    exported = nearer.export(artifact(towers))
    assert {p.parent.name for p in exported.folder.rglob("model.onnx")} == {"query", "index"}
    for side in ("query", "document"):
        ours, theirs = (
            nearer.encode(model, TEXTS, side=side) for model in (towers, exported.folder)
        )
        np.testing.assert_allclose(theirs, ours, atol=1e-5)
    assert nearer.load(exported.folder).name == "one-to-other"
    assert without_nearer(exported.folder)["queries"].shape == (1, 8)


def test_what_int8_costs_is_measured_on_the_data_of_the_run(
    artifact: Make, tiny_bert: Path, toy_files: dict[str, str]
) -> None:
    folder = artifact(load_encoder(str(tiny_bert)))
    exported = nearer.export(folder, "onnx-int8")
    assert 0.9 < exported.parity["least"] < 1 - 1e-9
    del toy_files["train_data"]
    for which, model in (("artifact", folder), ("export", exported.folder)):
        assert nearer.evaluate(model, **toy_files, limit=5).metrics == exported.metrics[which]
    assert read_manifest(exported.folder).metrics == exported.metrics["export"]
    assert exported.bytes < (folder / "model.safetensors").stat().st_size * 2


def test_where_the_data_is_gone_rows_are_given_and_the_export_says_so(
    artifact: Make, tiny_bert: Path
) -> None:
    folder = artifact(load_encoder(str(tiny_bert)), query_data="gone.jsonl")
    with pytest.raises(SpecError, match=r"gone.jsonl: no such file.*; give a file with a column"):
        nearer.export(folder, "onnx-int8")
    rows = [{"text": text} for text in TEXTS]
    exported = nearer.export(folder, "onnx-int8", data=rows)
    assert exported.parity["rows"] == 2 * len(rows)
    assert exported.metrics == {}
    assert "gone.jsonl" in exported.note


def test_a_graph_that_does_not_do_what_the_model_does_is_not_kept(
    artifact: Make, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = artifact(load_encoder(str(tiny_bert)))
    forward = graph._Graph.forward
    # Of the first item's sum: as a trace is that took a number of its two rows for a constant.
    wrong = lambda self, *tensors: forward(self, *tensors) + forward(self, *tensors)[:1]  # noqa: E731
    monkeypatch.setattr(graph._Graph, "forward", wrong)
    before = sorted(folder.parent.iterdir())
    with pytest.raises(NearerError, match="its graph does not do what the model does"):
        nearer.export(folder)
    assert sorted(folder.parent.iterdir()) == before


def test_an_artifact_in_bf16_is_compared_in_float32(artifact: Make, tiny_bert: Path) -> None:
    encoder = load_encoder(str(tiny_bert))
    encoder.precision = "bf16"
    assert nearer.export(artifact(encoder)).parity["least"] > 0.999999


def test_embeddings_of_two_exports_are_not_taken_for_each_other(
    artifact: Make, tiny_bert: Path
) -> None:
    folder = artifact(load_encoder(str(tiny_bert)))
    one, other = (
        nearer.encode(nearer.export(folder, form).folder, TEXTS) for form in ("onnx", "onnx-int8")
    )
    assert not np.array_equal(one, other)


def test_a_damaged_export_is_refused(artifact: Make, tiny_bert: Path) -> None:
    folder = nearer.export(artifact(load_encoder(str(tiny_bert)))).folder
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ArtifactError, match=r"model\.onnx is damaged"):
        nearer.encode(folder, TEXTS)


def test_faults_come_all_at_once_and_nothing_of_ones_own_is_replaced(
    artifact: Make, tiny_bert: Path, tmp_path: Path
) -> None:
    folder = artifact(load_encoder(str(tiny_bert)))
    (tmp_path / "mine").mkdir()
    with pytest.raises(SpecError) as caught:
        nearer.export(folder, "onnx-int", tmp_path / "mine", "none.csv")
    assert "format: 'onnx-int'; must be onnx or onnx-int8. Did you mean" in str(caught.value)
    assert "mine is there already and is no export" in str(caught.value)
    assert "none.csv: no such file" in str(caught.value)
    exported = nearer.export(folder, output=tmp_path / "out").folder
    assert nearer.export(folder, output=exported).folder == exported
    with pytest.raises(ModelError, match="is an export already"):
        nearer.export(exported)


def test_a_model_of_pictures_takes_pixels(tmp_path: Path) -> None:
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
    )
    ViTModel(config).save_pretrained(tmp_path / "vit")
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(tmp_path / "vit")
    modules = [Transformer(str(tmp_path / "vit")), Pooling(16, pooling_mode="mean")]
    encoder = load_encoder(SentenceTransformer(modules=modules, device="cpu"))
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for i, path in enumerate(paths):
        pixels = np.random.default_rng(i).integers(0, 255, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    manifest = Manifest(kind_of(encoder), encoder.name, "tiny", encoder.dimension)
    save_artifact(encoder, tmp_path / "artifact", manifest)
    rows = [{"image": str(path)} for path in paths]
    exported = nearer.export(tmp_path / "artifact", data=rows)
    assert exported.parity["least"] > 0.999999
    ours, theirs = (nearer.encode(model, paths) for model in (encoder, exported.folder))
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    with pytest.raises(ModelError, match="takes pictures; a text was given"):
        nearer.encode(exported.folder, ["a hat"])


def test_a_module_of_ones_own_is_refused(artifact: Make) -> None:
    with pytest.raises(ModelError, match="a module of your own"):
        nearer.export(artifact(ModuleEncoder(Letters(), dimension=8)))
